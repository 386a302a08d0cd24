package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

const (
	// settingsCheck bounds the add-on's own check of settings.
	settingsCheck = 5 * time.Second
	// settingsDelivery is how long a save waits for this host's process to know.
	settingsDelivery = 5 * time.Second
)

var _ admin.Settings = (*Host)(nil)

// Settings returns what the staff user's biller has set for an installed add-on.
// PermissionDenied without the ability staff:configure; NotFound if the add-on is
// not installed or the platform does not run it.
func (h *Host) Settings(ctx context.Context, staff addon.Staff, addonID string) (addon.SettingsState, error) {
	m, err := h.configurable(ctx, staff, addonID)
	if err != nil {
		return addon.SettingsState{}, err
	}
	stored, err := h.store.Settings(ctx, staff.BillerID, addonID)
	if err != nil {
		return addon.SettingsState{}, err
	}
	locale, err := h.staffLocale(ctx, staff)
	if err != nil {
		return addon.SettingsState{}, err
	}
	in := h.inForce(m, locale, stored)
	state := addon.SettingsState{
		Version: stored.Version, Values: in.settings.Values(), Entries: map[string]addon.Setting{},
		SecretSet: map[string]bool{}, Refused: in.refused, Missing: in.missing,
	}
	for key, e := range stored.Entries {
		state.Entries[key] = addon.Setting{Version: e.Version, At: e.At, By: e.By}
	}
	for key := range in.settings.Secrets() {
		state.SecretSet[key] = true
	}
	return state, nil
}

// SaveSettings checks and keeps what a staff user has set, and returns when the
// add-on's process on this host knows it, or after 5 seconds; other hosts follow
// within seconds. What is not changed costs nothing.
//
// Errors: as Settings; Conflict if somebody saved since the change's Version;
// Invalid, with the keys to blame, from the manifest's rules or, after those, from
// the add-on; Unavailable if the add-on does not run or does not answer in 5
// seconds. After any of them nothing has changed.
func (h *Host) SaveSettings(ctx context.Context, staff addon.Staff, addonID string, c addon.SettingsChange) error {
	m, err := h.configurable(ctx, staff, addonID)
	if err != nil {
		return err
	}
	stored, err := h.store.Settings(ctx, staff.BillerID, addonID)
	if err != nil {
		return err
	}
	if stored.Version != c.Version {
		return apperr.Errorf(apperr.Conflict, "Somebody else has changed these settings in the meantime.")
	}
	locale, err := h.staffLocale(ctx, staff)
	if err != nil {
		return err
	}
	d := draft{host: h, manifest: m, locale: locale, staff: staff, before: stored, now: h.config.Now().UTC().Truncate(time.Microsecond)}
	next, err := d.apply(c)
	if err != nil || len(d.changes) == 0 {
		return err
	}
	if err := h.askAddon(ctx, staff, m, locale, h.inForce(m, locale, next).settings); err != nil {
		return err
	}
	if err := h.store.SaveSettings(ctx, next); err != nil {
		return err
	}
	h.deliver(ctx, addonID)
	return h.auditSettings(ctx, staff, addonID, d.changes)
}

// configurable returns the manifest of an add-on that the staff user may set up.
func (h *Host) configurable(ctx context.Context, staff addon.Staff, addonID string) (*manifest.Manifest, error) {
	if !staff.Can(addon.AbilityConfigure) {
		return nil, apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to change settings.")
	}
	inst, err := h.store.Installation(ctx, staff.BillerID, addonID)
	if err != nil {
		return nil, err
	}
	m, ok := h.shelf.manifest(addonID)
	if inst.State != addon.Enabled || !ok || len(m.Settings) == 0 {
		return nil, apperr.Errorf(apperr.NotFound, "This add-on is not installed or has no settings.")
	}
	return m, nil
}

// staffLocale is the language of the person's pages.
func (h *Host) staffLocale(ctx context.Context, staff addon.Staff) (string, error) {
	if staff.Locale != "" {
		return staff.Locale, nil
	}
	b, err := h.platform.Biller(ctx, staff.BillerID)
	if err != nil {
		return "", fmt.Errorf("read biller: %w", err)
	}
	return b.Locale, nil
}

// askAddon lets the add-on's process check the settings. What goes wrong in it is
// no reason to keep settings unchecked.
func (h *Host) askAddon(ctx context.Context, staff addon.Staff, m *manifest.Manifest, locale string, s sdk.Settings) error {
	inst, err := h.store.Installation(ctx, staff.BillerID, m.ID)
	if err != nil {
		return err
	}
	b, err := h.platform.Biller(ctx, staff.BillerID)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	client, release, err := h.fleet.Acquire(m.ID)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, settingsCheck)
	defer cancel()
	id := web.RequestID(ctx)
	if id == "" {
		id = web.NewRequestID()
	}
	viewer := h.viewer(staff, m.ID)
	token := h.services.IssueRequest(services.Grant{
		BillerID: staff.BillerID, AddonID: m.ID, Permissions: inst.Permissions, Viewer: viewer, RequestID: id,
	})
	defer h.services.Revoke(token)
	call := h.call(b, m.ID, viewer, id)
	call.Locale = locale
	err = client.CheckSettings(ctx, call, token, s)
	switch apperr.CodeOf(err) {
	case "", apperr.Invalid:
		return err
	case apperr.Unavailable:
		return apperr.Wrap(apperr.Unavailable, m.Name+" is not answering just now. Nothing was saved; please try again.", err)
	}
	return apperr.Wrap(apperr.Unavailable, m.Name+" could not check these settings. Nothing was saved; please try again.", err)
}

// deliver waits until the process of this host knows the settings, but not for
// long: they are kept, and it learns them as soon as it can.
func (h *Host) deliver(ctx context.Context, addonID string) {
	ctx, cancel := context.WithTimeout(ctx, settingsDelivery)
	defer cancel()
	if err := (runner{h}).Await(ctx, addonID); err != nil {
		h.config.Log.WarnContext(ctx, "settings not delivered yet", "addon", addonID, "error", err.Error())
	}
}

func (h *Host) auditSettings(ctx context.Context, staff addon.Staff, addonID string, changes map[string]string) error {
	err := h.platform.RecordAudit(context.WithoutCancel(ctx), staff.BillerID, addon.AuditRecord{
		At: h.config.Now().UTC(), AddonID: addonID, StaffID: staff.ID, Action: "addon.configured", Object: addonID,
		RequestID: web.RequestID(ctx), Detail: changes,
	})
	if err != nil {
		return fmt.Errorf("record audit: %w", err)
	}
	return nil
}

// settingsFor returns what an add-on's process is told about billers. A manifest
// without settings asks the database for nothing.
func (h *Host) settingsFor(ctx context.Context, m *manifest.Manifest, list []addon.Installation) (map[string]sdk.Settings, error) {
	if len(m.Settings) == 0 || len(list) == 0 {
		return nil, nil
	}
	stored := map[string]addon.Settings{}
	if len(list) == 1 {
		s, err := h.store.Settings(ctx, list[0].BillerID, m.ID)
		if err != nil {
			return nil, err
		}
		stored[s.BillerID] = s
	} else {
		all, err := h.store.SettingsOf(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			stored[s.BillerID] = s
		}
	}
	told := map[string]sdk.Settings{}
	for _, i := range list {
		s := stored[i.BillerID]
		s.BillerID, s.AddonID = i.BillerID, m.ID
		in := h.inForce(m, "", s)
		told[i.BillerID] = in.settings
		if in.unreadable != nil {
			h.config.Log.WarnContext(ctx, "secrets of settings cannot be read", "addon", m.ID, "biller", i.BillerID, "error", in.unreadable.Error())
		}
	}
	return told, nil
}

// inForce is what stored settings mean for a manifest.
type inForce struct {
	settings sdk.Settings
	refused  map[string]string
	missing  []string
	// unreadable says which secrets could not be opened.
	unreadable error
}

// inForce applies the manifest to what is stored: keys it does not have are left
// out, values it refuses give way to its defaults, which new keys get too.
func (h *Host) inForce(m *manifest.Manifest, locale string, stored addon.Settings) inForce {
	in := inForce{refused: map[string]string{}}
	values, secrets := map[string]any{}, map[string]string{}
	for _, s := range m.Settings {
		s, _ := s.In(locale)
		value, err := h.stored(s, stored)
		if apperr.Is(err, apperr.Internal) {
			in.unreadable = errors.Join(in.unreadable, err)
			err = apperr.Field(s.Key, s.Label+" can no longer be read.")
		}
		if err != nil {
			in.refused[s.Key] = apperr.MessageOf(err)
			value = s.Fallback()
		}
		if s.Required && s.Empty(value) {
			in.missing = append(in.missing, s.Key)
		}
		switch secret, _ := value.(string); {
		case value == nil:
		case s.Type == manifest.SettingSecret:
			secrets[s.Key] = secret
		default:
			values[s.Key] = value
		}
	}
	in.settings = sdk.NewSettings(values, secrets)
	return in
}

// stored returns the value of one setting: the default of one that nobody set.
// Invalid if the manifest refuses what is stored, Internal for a secret that
// cannot be opened.
func (h *Host) stored(s manifest.Setting, stored addon.Settings) (any, error) {
	e, ok := stored.Entries[s.Key]
	switch {
	case !ok || e.Value == nil && e.Sealed == nil:
		return s.Fallback(), nil
	case s.Type != manifest.SettingSecret:
		return s.Decode(e.Value)
	case e.Sealed == nil:
		return nil, apperr.Field(s.Key, s.Label+" was of another type.")
	}
	secret, err := h.vault.open(stored.BillerID, stored.AddonID, s.Key, e.Sealed)
	if err != nil {
		return nil, err
	}
	if err := s.Check(secret); err != nil {
		return nil, err
	}
	return secret, nil
}
