package books

import (
	"cmp"
	"slices"
	"strings"
)

// AuditGroup is a kind of actions that people look for.
type AuditGroup struct {
	// Name stands in addresses, Title on the page.
	Name, Title string
	// Actions are patterns of SQL's LIKE.
	Actions []string
}

// AuditGroups are the choices of the audit page. Add-ons name their actions
// noun.verb; the nouns here are those of the platform and of the add-ons it
// knows, others are found under every action.
func AuditGroups() []AuditGroup {
	return []AuditGroup{
		{"sign-in", "Signing in and out", []string{"session.%", `staff.sign\_in%`, `staff.signed%`}},
		{"passwords", "Passwords and addresses", []string{"password.%", "address.%", `staff.password%`, "activity.%"}},
		{"registration", "Invitations and sign-up", []string{"invitation.%", "signup.%", "request.%", "agreement.%"}},
		{"access", "Access of customers", []string{"access.%", "grant.%", "user.%", "profile.%", "person.%"}},
		{"staff", "Staff and roles", []string{"staff.%"}},
		{"addons", "Add-ons and settings", []string{"addon.%", "settings.%", "setting.%"}},
		{"audit", "This audit", []string{"audit.%", "biller.%"}},
	}
}

// FindAuditGroup returns the group of that name.
func FindAuditGroup(name string) (AuditGroup, bool) {
	all := AuditGroups()
	i := slices.IndexFunc(all, func(g AuditGroup) bool { return g.Name == name })
	if i < 0 {
		return AuditGroup{}, false
	}
	return all[i], true
}

// AuditWords says an action in plain words. One that it does not know is read
// out: invitation.sent is "Invitation sent".
func AuditWords(action string) string {
	if words := cmp.Or(platformWords(action), portalWords(action)); words != "" {
		return words
	}
	words := strings.NewReplacer(".", " ", "_", " ").Replace(action)
	if strings.HasPrefix(action, "addon.") {
		words = "Add-on" + strings.TrimPrefix(words, "addon")
	}
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// platformWords says an action of the platform; empty for others.
func platformWords(action string) string {
	switch action {
	case AuditBillerAdded:
		return "Biller added to the platform"
	case AuditAdopted:
		return "Earlier records taken into the chain"
	case AuditExported:
		return "Audit downloaded"
	case AuditStaffAdded:
		return "Staff user added"
	case AuditStaffRole:
		return "Role of a staff user changed"
	case AuditStaffDisabled:
		return "Staff user disabled"
	case AuditStaffEnabled:
		return "Staff user enabled again"
	case AuditStaffPassword:
		return "Password of a staff user changed"
	case AuditStaffBlocked:
		return "Sign-in of a staff user has to wait"
	case AuditStaffDenied:
		return "Request of a staff user refused"
	case AuditStaffLink:
		return "Sign-in link made for staff"
	case AuditStaffSignedIn:
		return "Staff signed in"
	case AuditStaffRefused:
		return "Staff sign-in refused"
	case AuditStaffSignedOut:
		return "Staff signed out"
	case "addon.configured":
		return "Settings of the add-on changed"
	case "addon.purged":
		return "Data of the add-on deleted"
	}
	return ""
}

// AuditOfStranger tells of an action about a customer's sign-in that nobody has
// proved to be theirs: somebody typed the address.
func AuditOfStranger(action string) bool {
	return action == "session.refused" || action == "session.blocked"
}

// portalWords says an action of the Customer Portal; empty for others.
func portalWords(action string) string {
	switch action {
	case "session.started":
		return "Customer signed in"
	case "session.new_device":
		return "Customer signed in on a new device"
	case "session.ended":
		return "Customer ended sessions elsewhere"
	case "session.signed_out":
		return "Customer signed out"
	case "session.refused":
		return "Customer sign-in refused"
	case "session.blocked":
		return "Customer sign-in has to wait"
	case "signup.asked":
		return "Sign-up asked for by mail"
	case "signup.self":
		return "Customer signed up without an invitation"
	case "report.exported":
		return "Report downloaded"
	case "access.added":
		return "Customer added a profile"
	case "signup.started":
		return "Sign-up started"
	case "signup.confirmed":
		return "Sign-up confirmed by mail"
	case "agreement.declined":
		return "User agreement declined"
	case "password.reset_asked":
		return "Customer asked for a new password"
	case "password.ended":
		return "Password ended, link to a new one mailed"
	case "password.reset":
		return "Customer set a new password by mail"
	case "password.changed":
		return "Customer changed the password"
	case "address.change_asked":
		return "Customer asked to change the sign-in email"
	case "address.changed":
		return "Customer changed the sign-in email"
	case "activity.disowned":
		return "Customer said: this wasn’t me"
	case "invitation.linked":
		return "Invitation link shown to staff"
	}
	return ""
}
