package store

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// exportedJSON is JSON as it is kept.
type exportedJSON string

// MarshalJSON implements json.Marshaler.
func (e exportedJSON) MarshalJSON() ([]byte, error) { return []byte(e), nil }

type exportActivity struct {
	ID         string       `db:"id" json:"id"`
	Action     string       `db:"action" json:"action"`
	UserID     string       `db:"user_id" json:"user_id"`
	CustomerID string       `db:"customer_id" json:"customer_id"`
	Object     string       `db:"object" json:"object"`
	StaffID    string       `db:"staff_id" json:"staff_id"`
	StaffName  string       `db:"staff_name" json:"staff_name"`
	IP         string       `db:"ip" json:"ip"`
	Agent      string       `db:"agent" json:"agent"`
	Detail     exportedJSON `db:"detail" json:"detail"`
	NoticeTo   string       `db:"notice_to" json:"notice_to"`
	At         exported     `db:"at" json:"at"`
}

func exportActivities(ctx context.Context, db *sqldb.DB, biller string, send func(string, any) error) error {
	return exportRows[exportActivity](ctx, db, biller, "activity", send, selectActivity+`
		ORDER BY at, id`)
}
