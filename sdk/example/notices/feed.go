package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// feedEntry is a notice as the biller's own website reads it.
type feedEntry struct {
	Text    string `json:"text"`
	LastDay string `json:"last_day"`
}

// feed answers with the notices of today for whoever knows the feed token. Without
// one in the settings there is no feed.
func (p *pages) feed(w http.ResponseWriter, r *http.Request) error {
	v, err := p.look(r.Context())
	if err != nil {
		return err
	}
	given, want := sha256.Sum256([]byte(r.Header.Get("Feed-Token"))), sha256.Sum256([]byte(v.Board.FeedToken))
	switch {
	case v.Board.FeedToken == "":
		return apperr.Errorf(apperr.NotFound, "There is no feed.")
	case subtle.ConstantTimeCompare(given[:], want[:]) == 0:
		return apperr.Errorf(apperr.PermissionDenied, "The header Feed-Token is missing or wrong.")
	}
	entries := []feedEntry{}
	for _, n := range v.Board.Today(v.Notices, v.Today) {
		entries = append(entries, feedEntry{n.Text, n.LastDay})
	}
	body, err := json.Marshal(map[string]any{"notices": entries})
	if err != nil {
		return fmt.Errorf("write feed: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	// A write fails only when the reader has gone.
	_, _ = w.Write(body)
	return nil
}
