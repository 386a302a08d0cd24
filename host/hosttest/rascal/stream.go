package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// flush answers in part, and with the rest when the browser goes.
func flush(w http.ResponseWriter, r *http.Request) {
	say(w, "first\n")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

// gone reads what is sent and waits for the browser to go.
func (r *rascal) gone(_ http.ResponseWriter, req *http.Request) {
	r.held.Add(1)
	defer r.ended.Add(1)
	_, err := io.Copy(io.Discard, req.Body)
	if err == nil {
		<-req.Context().Done()
	}
}

// hold takes a place until the browser goes.
func (r *rascal) hold(_ http.ResponseWriter, req *http.Request) {
	r.held.Add(1)
	defer r.ended.Add(1)
	<-req.Context().Done()
}

// pour answers as much as anybody takes, and counts it.
func (r *rascal) pour(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	part := make([]byte, 64<<10)
	for {
		n, err := w.Write(part)
		r.poured.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// count says what the other pages have counted.
func (r *rascal) count(w http.ResponseWriter, _ *http.Request) {
	say(w, "held %d ended %d poured %d", r.held.Load(), r.ended.Load(), r.poured.Load())
}

// swallow reads all that is sent.
func swallow(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	say(w, "%d bytes", n)
}

// slow reads a little of what is sent, and no more until release.
func (r *rascal) slow(w http.ResponseWriter, req *http.Request) {
	n, err := io.ReadFull(req.Body, make([]byte, 1000))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	say(w, "read %d\n", n)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-req.Context().Done():
	case <-r.released:
	}
}

// release ends all pages that are slow.
func (r *rascal) release(w http.ResponseWriter, _ *http.Request) {
	close(r.released)
	say(w, "<p>released</p>")
}

// trailer answers with trailers, announced and not.
func trailer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Announced")
	say(w, "<p>body</p>")
	w.Header().Set("X-Announced", "1")
	w.Header().Set(http.TrailerPrefix+"X-Late", "1")
}

// text answers HEAD and ranges as net/http would.
func text(w http.ResponseWriter, r *http.Request) {
	body := fmt.Sprintf("<p>%0100d</p>", 7)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A write fails only when the host has gone.
	_, _ = io.WriteString(w, body)
}
