package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func invoiceToPB(i sdk.Invoice) *pb.Invoice {
	return &pb.Invoice{
		Id:         i.ID,
		Number:     text(i.Number),
		CustomerId: i.CustomerID,
		Title:      text(i.Title),
		Status:     i.Status,
		IssuedOn:   timeToPB(i.IssuedOn),
		DueOn:      timeToPB(i.DueOn),
		Subtotal:   moneyToPB(i.Subtotal),
		Tax:        moneyToPB(i.Tax),
		Total:      moneyToPB(i.Total),
		Paid:       moneyToPB(i.Paid),
		Balance:    moneyToPB(i.Balance),
		Memo:       text(i.Memo),
		BillTo:     addressToPB(i.BillTo),
		Lines:      sliceOf(i.Lines, invoiceLineToPB),
	}
}

func invoiceFromPB(i *pb.Invoice) sdk.Invoice {
	return sdk.Invoice{
		ID:         i.GetId(),
		Number:     i.GetNumber(),
		CustomerID: i.GetCustomerId(),
		Title:      i.GetTitle(),
		Status:     i.GetStatus(),
		IssuedOn:   timeFromPB(i.GetIssuedOn()),
		DueOn:      timeFromPB(i.GetDueOn()),
		Subtotal:   moneyFromPB(i.GetSubtotal()),
		Tax:        moneyFromPB(i.GetTax()),
		Total:      moneyFromPB(i.GetTotal()),
		Paid:       moneyFromPB(i.GetPaid()),
		Balance:    moneyFromPB(i.GetBalance()),
		Memo:       i.GetMemo(),
		BillTo:     addressFromPB(i.GetBillTo()),
		Lines:      sliceOf(i.GetLines(), invoiceLineFromPB),
	}
}

func invoiceLineToPB(l sdk.InvoiceLine) *pb.InvoiceLine {
	return &pb.InvoiceLine{
		Description:   text(l.Description),
		Detail:        text(l.Detail),
		QuantityMilli: l.QuantityMilli,
		UnitPrice:     moneyToPB(l.UnitPrice),
		Amount:        moneyToPB(l.Amount),
	}
}

func invoiceLineFromPB(l *pb.InvoiceLine) sdk.InvoiceLine {
	return sdk.InvoiceLine{
		Description:   l.GetDescription(),
		Detail:        l.GetDetail(),
		QuantityMilli: l.GetQuantityMilli(),
		UnitPrice:     moneyFromPB(l.GetUnitPrice()),
		Amount:        moneyFromPB(l.GetAmount()),
	}
}

func invoicePageToPB(p sdk.InvoicePage) *pb.InvoicePage {
	return &pb.InvoicePage{Invoices: sliceOf(p.Invoices, invoiceToPB), Next: p.Next}
}

func invoicePageFromPB(p *pb.InvoicePage) sdk.InvoicePage {
	return sdk.InvoicePage{Invoices: sliceOf(p.GetInvoices(), invoiceFromPB), Next: p.GetNext()}
}

func invoiceQueryToPB(q sdk.InvoiceQuery) *pb.ListInvoicesRequest {
	return &pb.ListInvoicesRequest{
		CustomerId: q.CustomerID,
		OpenOnly:   q.OpenOnly,
		Limit:      int32Of(q.Limit),
		After:      q.After,
	}
}

func invoiceQueryFromPB(q *pb.ListInvoicesRequest) sdk.InvoiceQuery {
	return sdk.InvoiceQuery{
		CustomerID: q.GetCustomerId(),
		OpenOnly:   q.GetOpenOnly(),
		Limit:      int(q.GetLimit()),
		After:      q.GetAfter(),
	}
}
