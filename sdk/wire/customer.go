package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func customerToPB(c sdk.Customer) *pb.Customer {
	return &pb.Customer{
		Id:          c.ID,
		Number:      text(c.Number),
		Name:        text(c.Name),
		DisplayName: text(c.DisplayName),
		Company:     text(c.Company),
		Email:       text(c.Email),
		Phone:       text(c.Phone),
		Address:     addressToPB(c.Address),
		ParentId:    c.ParentID,
		Archived:    c.Archived,
		Type:        c.Type,
		OpenBalance: moneyToPB(c.OpenBalance),
		Version:     c.Version,
	}
}

func customerFromPB(c *pb.Customer) sdk.Customer {
	return sdk.Customer{
		ID:          c.GetId(),
		Number:      c.GetNumber(),
		Name:        c.GetName(),
		DisplayName: c.GetDisplayName(),
		Company:     c.GetCompany(),
		Email:       c.GetEmail(),
		Phone:       c.GetPhone(),
		Address:     addressFromPB(c.GetAddress()),
		ParentID:    c.GetParentId(),
		Archived:    c.GetArchived(),
		Type:        c.GetType(),
		OpenBalance: moneyFromPB(c.GetOpenBalance()),
		Version:     c.GetVersion(),
	}
}

func customerPageToPB(p sdk.CustomerPage) *pb.CustomerPage {
	return &pb.CustomerPage{Customers: sliceOf(p.Customers, customerToPB), Next: p.Next}
}

func customerPageFromPB(p *pb.CustomerPage) sdk.CustomerPage {
	return sdk.CustomerPage{Customers: sliceOf(p.GetCustomers(), customerFromPB), Next: p.GetNext()}
}

func customerQueryToPB(q sdk.CustomerQuery) *pb.ListCustomersRequest {
	return &pb.ListCustomersRequest{Limit: int32Of(q.Limit), After: q.After}
}

func customerQueryFromPB(q *pb.ListCustomersRequest) sdk.CustomerQuery {
	return sdk.CustomerQuery{Limit: int(q.GetLimit()), After: q.GetAfter()}
}

func addressToPB(a sdk.Address) *pb.Address {
	return &pb.Address{
		Street:  text(a.Street),
		City:    text(a.City),
		State:   text(a.State),
		Zip:     text(a.Zip),
		Country: text(a.Country),
	}
}

func addressFromPB(a *pb.Address) sdk.Address {
	return sdk.Address{
		Street:  a.GetStreet(),
		City:    a.GetCity(),
		State:   a.GetState(),
		Zip:     a.GetZip(),
		Country: a.GetCountry(),
	}
}

func moneyToPB(m sdk.Money) *pb.Money { return &pb.Money{Minor: m.Minor, Currency: m.Currency} }

func moneyFromPB(m *pb.Money) sdk.Money {
	return sdk.Money{Minor: m.GetMinor(), Currency: m.GetCurrency()}
}
