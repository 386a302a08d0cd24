package portal

// Undo is what "This wasn't me" does, or has done. One function of the store finds
// it, for the page that asks and for the act.
type Undo string

// Undos.
const (
	// UndoNothing finds nothing left to end.
	UndoNothing Undo = "nothing"
	// UndoAsked ends the links to a new password that somebody asked for.
	UndoAsked Undo = "asked"
	// UndoSignUp ends a sign-up with an invitation, which opens again; UndoOpen ends
	// one from the portal link.
	UndoSignUp Undo = "signup"
	UndoOpen   Undo = "open"
	// UndoCode ends a change to an address that waits for its code. UndoUsed is of one
	// whose code was typed: staff are told, nothing else changes.
	UndoCode Undo = "code"
	UndoUsed Undo = "used"
	// UndoSecure signs everybody out, ends the password and mails a link to a new one.
	// UndoRestore puts the address back first.
	UndoSecure  Undo = "secure"
	UndoRestore Undo = "restore"
	// UndoShut is UndoSecure without the link: the person is disabled, or somebody else
	// has their earlier address.
	UndoShut Undo = "shut"
)

// Undos lists every one.
func Undos() []Undo {
	return []Undo{UndoNothing, UndoAsked, UndoSignUp, UndoOpen, UndoCode, UndoUsed, UndoSecure, UndoRestore, UndoShut}
}

// Shuts tells whether everybody is signed out by it.
func (u Undo) Shuts() bool { return u == UndoSecure || u == UndoRestore || u == UndoShut }
