package wire

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func settingsToPB(s sdk.Settings) *pb.Settings {
	values := map[string]*pb.SettingValue{}
	for key, value := range s.Values() {
		switch v := value.(type) {
		case string:
			values[key] = &pb.SettingValue{Value: &pb.SettingValue_Text{Text: v}}
		case int64:
			values[key] = &pb.SettingValue{Value: &pb.SettingValue_Number{Number: v}}
		case bool:
			values[key] = &pb.SettingValue{Value: &pb.SettingValue_On{On: v}}
		case []string:
			values[key] = &pb.SettingValue{Value: &pb.SettingValue_List{List: &pb.TextList{Texts: v}}}
		}
	}
	for key, secret := range s.Secrets() {
		values[key] = &pb.SettingValue{Value: &pb.SettingValue_Secret{Secret: secret}}
	}
	return &pb.Settings{Values: values}
}

// settingsFromPB leaves out values of types that this version does not know.
func settingsFromPB(s *pb.Settings) sdk.Settings {
	values, secrets := map[string]any{}, map[string]string{}
	for key, value := range s.GetValues() {
		switch v := value.GetValue().(type) {
		case *pb.SettingValue_Text:
			values[key] = v.Text
		case *pb.SettingValue_Number:
			values[key] = v.Number
		case *pb.SettingValue_On:
			values[key] = v.On
		case *pb.SettingValue_List:
			values[key] = append([]string{}, v.List.GetTexts()...)
		case *pb.SettingValue_Secret:
			secrets[key] = v.Secret
		}
	}
	return sdk.NewSettings(values, secrets)
}

// CheckSettings asks the add-on whether it accepts the settings, for the staff
// user of the call, whose token it may use. Invalid, with the keys to blame, if it
// does not; an add-on that has no opinion accepts all. Give ctx about 5 seconds.
func (c *Client) CheckSettings(ctx context.Context, call sdk.Call, token string, s sdk.Settings) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	request := &pb.CheckSettingsRequest{Call: callToPB(call, token), Settings: settingsToPB(s)}
	_, err := c.lifecycle.CheckSettings(ctx, request)
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return callError(ctx, request, err)
}

// CheckSettings runs the add-on's own check.
func (l lifecycleServer) CheckSettings(ctx context.Context, r *pb.CheckSettingsRequest) (*pb.CheckSettingsResponse, error) {
	check := l.addon.parts.CheckSettings
	if check == nil {
		return nil, unimplemented()
	}
	if sdk.CallFrom(ctx).BillerID == "" {
		return nil, apperr.Errorf(apperr.Invalid, "The call names no biller.")
	}
	return &pb.CheckSettingsResponse{}, check(ctx, settingsFromPB(r.GetSettings()))
}

type installationsKey struct{}

// withInstallations lets withCall find what the call's biller has set.
func withInstallations(ctx context.Context, n *installations) context.Context {
	return context.WithValue(ctx, installationsKey{}, n)
}

// withCall returns the context that the add-on's code runs with in a stream.
func (s *AddonServer) withCall(ctx context.Context, c *pb.Call) context.Context {
	return withCall(withInstallations(ctx, s.billers), c)
}

// withSettings adds what the biller has set at this moment.
func withSettings(ctx context.Context, billerID string) context.Context {
	n, _ := ctx.Value(installationsKey{}).(*installations)
	if n == nil {
		return ctx
	}
	n.mu.Lock()
	entry := n.entries[billerID]
	n.mu.Unlock()
	if entry == nil {
		return ctx
	}
	return sdk.WithSettings(ctx, entry.settings)
}
