package portal

import (
	"context"
	"time"
)

// ProofOutcome says what the link of a proof's mail leads to.
type ProofOutcome string

// Outcomes of opening the link of a proof's mail.
const (
	// ProofLinkHere shows one button, in the browser that began.
	ProofLinkHere ProofOutcome = "here"
	// ProofLinkElsewhere shows one button that moves the sign-up to this browser:
	// nobody has chosen anything yet, and whoever began elsewhere loses it.
	ProofLinkElsewhere ProofOutcome = "elsewhere"
	// ProofLinkGoOn means it is proven, in this browser.
	ProofLinkGoOn ProofOutcome = "go_on"
	// ProofLinkDone means that the sign-in is made: "Sign in".
	ProofLinkDone ProofOutcome = "done"
	// ProofLinkUsed means it is proven in another browser: a forwarded link signs
	// nobody in.
	ProofLinkUsed ProofOutcome = "used"
	// ProofLinkExpired and ProofLinkDead offer to start again.
	ProofLinkExpired ProofOutcome = "expired"
	ProofLinkDead    ProofOutcome = "dead"
)

// Outcome is where a visitor with the link t of this proof stands.
func (p Proof) Outcome(t Token, handleHash string, now time.Time) ProofOutcome {
	same := SameHash(p.HandleHash, handleHash)
	switch {
	case p.Step == ProofDone:
		return ProofLinkDone
	case p.Step == ProofVoid:
		return ProofLinkDead
	case !now.Before(t.ExpiresAt), !p.Live(now):
		return ProofLinkExpired
	case p.Step == ProofProven && same:
		return ProofLinkGoOn
	case p.Step == ProofProven:
		return ProofLinkUsed
	case same:
		return ProofLinkHere
	}
	return ProofLinkElsewhere
}

// ProofLinkView is what the page behind the link of a proof's mail shows.
type ProofLinkView struct {
	Outcome     ProofOutcome
	MaskedEmail string
}

// OpenProofLink tells what the page behind the link shows; handle is the visitor's
// cookie, empty without. It consumes nothing: mail scanners follow links.
// ErrUnknownLink for garbage; ErrOpenOff.
func (s *Service) OpenProofLink(ctx context.Context, c Caller, token, handle string) (ProofLinkView, error) {
	_, p, outcome, err := s.proofLink(ctx, c, token, handle)
	if err != nil {
		return ProofLinkView{}, err
	}
	return ProofLinkView{Outcome: outcome, MaskedEmail: s.MaskEmail(p.Email)}, nil
}

func (s *Service) proofLink(ctx context.Context, c Caller, token, handle string) (Token, Proof, ProofOutcome, error) {
	if !s.OpenSignUp(ctx) {
		return Token{}, Proof{}, "", ErrOpenOff
	}
	t, p, err := s.Store.ProofOfLink(ctx, c.BillerID, s.Keys.Hash(c.BillerID, token))
	if err != nil {
		return Token{}, Proof{}, "", err
	}
	hash := ""
	if handle != "" {
		hash = s.Keys.Hash(c.BillerID, handle)
	}
	return t, p, p.Outcome(t, hash, s.Now()), nil
}

// ProveLink proves the mailbox with the link of the mail. In another browser than
// the one that began, the answer holds a new handle and the old one ends.
// ErrLinkExpired; ErrLinkDead for a link that was used; ErrRegistered;
// ErrUnknownLink; ErrOpenOff.
func (s *Service) ProveLink(ctx context.Context, c Caller, token, handle string) (ProofState, error) {
	t, _, outcome, err := s.proofLink(ctx, c, token, handle)
	if err != nil {
		return ProofState{}, err
	}
	fresh, freshHash := "", ""
	switch outcome {
	case ProofLinkHere:
	case ProofLinkElsewhere:
		fresh = NewSecret()
		freshHash = s.Keys.Hash(c.BillerID, fresh)
		handle = fresh
	case ProofLinkExpired:
		return ProofState{}, ErrLinkExpired
	case ProofLinkDone:
		return ProofState{}, ErrRegistered
	default:
		return ProofState{}, ErrLinkDead
	}
	if err := s.Store.ProveLink(ctx, c.BillerID, t.Hash, freshHash, s.Now()); err != nil {
		return ProofState{}, err
	}
	state, err := s.Proof(ctx, c, handle)
	state.Handle = fresh
	return state, err
}

// proofMail makes the mail of a proof: the code for an address that customers
// have, "you already have an account" for one that signs in, and for any other
// none, unless the biller answers unknown addresses.
func (s *Service) proofMail(ctx context.Context, c Caller, m Mail, src MailSource, now time.Time) (Mail, error) {
	p := src.Proof
	if p.Seq != m.Ref.Seq || p.Step != ProofAsked || !p.Live(now) {
		return Mail{}, ErrStaleMail
	}
	settings := s.settings(ctx)
	m.To, m.ExpiresAt, m.NotMe = p.Email, p.ExpiresAt, s.disownURL(c, p.ID)
	switch {
	case !settings.OpenSignUp:
		return Mail{}, ErrStaleMail
	case src.Open.HasAccount && !src.Open.Disabled:
		m.HasAccount, m.Link = true, c.PortalURL+"/sign-in"
	case !src.Open.HasAccount && len(src.Open.Profiles) > 0:
		m.Link = c.PortalURL + "/prove/" + s.Keys.Token(PurposeProof, c.BillerID, p.ID, 0, p.Seq)
		m.Code = s.Keys.Code(c.BillerID, p.ID, p.Seq)
	case settings.AnswerUnknown:
		m.Link, m.Unknown = c.PortalURL+"/sign-up?again=1", true
	default:
		return Mail{}, ErrStaleMail
	}
	return m, nil
}
