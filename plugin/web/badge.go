package web

import (
	"strings"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
)

// badge is a status: a tone, an icon and a word.
type badge struct{ Tone, Icon, Word string }

// slug is a status as part of a key: "not_invited".
func slug(s portal.Status) string {
	return strings.ReplaceAll(strings.ToLower(string(s)), " ", "_")
}

func statusBadge(t catalogue.Text, s portal.Status) badge {
	b := badge{Icon: "info", Word: t.T("status." + slug(s))}
	switch s {
	case portal.StatusNotInvited:
		b.Icon = "ring"
	case portal.StatusQueued:
		b.Icon = "clock"
	case portal.StatusSent:
		b.Tone, b.Icon = "info", "plane"
	case portal.StatusDelivered:
		b.Tone, b.Icon = "info", "tray"
	case portal.StatusOpened:
		b.Tone, b.Icon = "info", "mail-open"
	case portal.StatusStarted:
		b.Tone, b.Icon = "info", "halfdisc"
	case portal.StatusAwaitingConfirmation:
		b.Tone, b.Icon = "warn", "hourglass"
	case portal.StatusAwaitingAgreement:
		b.Tone, b.Icon = "warn", "pen"
	case portal.StatusRegistered:
		b.Tone, b.Icon = "good", "check"
	case portal.StatusNoEmail:
		b.Tone, b.Icon = "warn", "mail-x"
	case portal.StatusExpired:
		b.Tone, b.Icon = "warn", "calendar-x"
	case portal.StatusBounced:
		b.Tone, b.Icon = "bad", "arrow-back"
	case portal.StatusRevoked:
		b.Icon = "bar"
	case portal.StatusDisabled:
		b.Icon = "lock"
	}
	return b
}

// historyMark is the icon and tone of a history entry.
func historyMark(k portal.HistoryKind) (icon, tone string) {
	switch k {
	case portal.HistoryQueued:
		return "clock", ""
	case portal.HistorySent, portal.HistoryResent, portal.HistoryReminded:
		return "plane", "info"
	case portal.HistoryFailed:
		return "arrow-back", "bad"
	case portal.HistoryOpened:
		return "mail-open", "info"
	case portal.HistoryStarted, portal.HistoryRestarted:
		return "halfdisc", "info"
	case portal.HistoryChosen:
		return "people", "info"
	case portal.HistoryConfirmed, portal.HistoryEmail:
		return "mail", "info"
	case portal.HistoryAccepted, portal.HistoryAdded:
		return "check", "good"
	case portal.HistoryDeclined:
		return "pen", "warn"
	case portal.HistoryExpired:
		return "calendar-x", "warn"
	case portal.HistorySelf:
		return "person", "info"
	case portal.HistoryDisowned:
		return "warning", "bad"
	case portal.HistoryRevoked:
		return "bar", ""
	case portal.HistoryAsked:
		return "people", "info"
	case portal.HistoryApproved, portal.HistoryKept, portal.HistoryEnabled:
		return "check", "good"
	case portal.HistoryRefused, portal.HistoryRemoved, portal.HistoryErased:
		return "bar", ""
	case portal.HistoryRight:
		return "person", ""
	case portal.HistoryDisabled:
		return "lock", "warn"
	case portal.HistoryLink:
		return "copy", ""
	}
	return "info", ""
}
