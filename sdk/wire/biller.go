package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

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
