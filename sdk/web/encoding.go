package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Coding is what a browser says of content codings in Accept-Encoding.
type Coding struct {
	// Gzip is true if it takes gzip, and likes it no less than plain content.
	Gzip bool
	// Plain is false if it refuses content without a coding.
	Plain bool
}

// CodingOf reads Accept-Encoding, with the weights of RFC 9110. Browsers that say
// nothing get plain content.
func CodingOf(r *http.Request) Coding {
	weights := map[string]float64{}
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				weights[strings.TrimPrefix(name, "x-")] = weight(params)
			}
		}
	}
	others, wild := weights["*"]
	compressed, named := weights["gzip"]
	if !named {
		compressed = others
	}
	plain, named := weights["identity"]
	switch {
	case named:
	case wild && others == 0:
		return Coding{Gzip: compressed > 0}
	default:
		return Coding{Gzip: compressed > 0, Plain: true}
	}
	return Coding{Gzip: compressed > 0 && compressed >= plain, Plain: plain > 0}
}

// weight returns the q of a coding's parameters: 1 without one, 0 if it is no
// number from 0 to 1.
func weight(params string) float64 {
	name, value, ok := strings.Cut(params, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// Gzip compresses as well as it can. It returns nil for what that makes less than
// a tenth smaller.
func Gzip(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if b.Len() > len(content)*9/10 {
		return nil, nil
	}
	return b.Bytes(), nil
}
