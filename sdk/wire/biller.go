package wire

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// billerKey is the context key of the biller that came with a request.
type billerKey struct{}

// withBiller keeps the biller that came with a request.
func withBiller(ctx context.Context, b *pb.Biller) context.Context {
	if b == nil {
		return ctx
	}
	return context.WithValue(ctx, billerKey{}, billerFromPB(b))
}

// billerFrom returns the biller that came with the request, if ctx still works for
// that one.
func billerFrom(ctx context.Context) (sdk.Biller, bool) {
	b, ok := ctx.Value(billerKey{}).(sdk.Biller)
	return b, ok && b.ID == sdk.CallFrom(ctx).BillerID
}

func billerToPB(b sdk.Biller) *pb.Biller {
	return &pb.Biller{
		Id:           b.ID,
		Slug:         b.Slug,
		Name:         text(b.Name),
		Brand:        b.Brand,
		OnBrand:      b.OnBrand,
		Email:        text(b.Email),
		Phone:        text(b.Phone),
		Hours:        text(b.Hours),
		Address:      addressToPB(b.Address),
		TimeZone:     b.TimeZone,
		Locale:       b.Locale,
		Currency:     b.Currency,
		PortalUrl:    b.PortalURL,
		CustomerPath: b.CustomerPath,
	}
}

func billerFromPB(b *pb.Biller) sdk.Biller {
	return sdk.Biller{
		ID:           b.GetId(),
		Slug:         b.GetSlug(),
		Name:         b.GetName(),
		Brand:        b.GetBrand(),
		OnBrand:      b.GetOnBrand(),
		Email:        b.GetEmail(),
		Phone:        b.GetPhone(),
		Hours:        b.GetHours(),
		Address:      addressFromPB(b.GetAddress()),
		TimeZone:     b.GetTimeZone(),
		Locale:       b.GetLocale(),
		Currency:     b.GetCurrency(),
		PortalURL:    b.GetPortalUrl(),
		CustomerPath: b.GetCustomerPath(),
	}
}
