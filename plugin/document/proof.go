package document

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// proofJSON is an acceptance for programs. Fields are only ever added.
type proofJSON struct {
	Kind   string `json:"kind"`
	Biller struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"biller"`
	Person struct {
		ID           string `json:"id"`
		Email        string `json:"email"`
		PresentEmail string `json:"present_email"`
	} `json:"person"`
	AcceptedAt time.Time `json:"accepted_at"`
	IP         string    `json:"ip"`
	Browser    string    `json:"browser"`
	Agreement  struct {
		Version     string    `json:"version"`
		EffectiveAt time.Time `json:"effective_at"`
		TextSHA256  string    `json:"text_sha256"`
		Text        string    `json:"text"`
	} `json:"agreement"`
	// TextMatches tells whether the text has the checksum that was accepted.
	TextMatches bool      `json:"text_matches"`
	ExportedAt  time.Time `json:"exported_at"`
}

// WriteJSON writes the proof for programs: times in UTC, the text exactly as it
// was accepted, so that its SHA-256 can be computed again.
func WriteJSON(w io.Writer, p portal.AgreementProof, billerID, billerName string, at time.Time) error {
	j := proofJSON{
		Kind: "user_agreement_acceptance", AcceptedAt: p.At, IP: p.IP, Browser: p.Agent, TextMatches: p.Intact(), ExportedAt: at,
	}
	j.Biller.ID, j.Biller.Name = billerID, billerName
	j.Person.ID, j.Person.Email, j.Person.PresentEmail = p.UserID, p.Email, p.Present
	j.Agreement.Version, j.Agreement.EffectiveAt = p.Version, p.Agreement.EffectiveOn
	j.Agreement.TextSHA256, j.Agreement.Text = p.TextHash, p.Agreement.Text
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(j); err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	return nil
}
