package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
	"github.com/billing-addons/customer-portal/sdk/example/notices/store"
)

// exportedNotice is one line of the export.
type exportedNotice struct {
	Text      string `json:"text"`
	FirstDay  string `json:"first_day"`
	LastDay   string `json:"last_day"`
	WrittenBy string `json:"written_by"`
}

// export writes all notices of the biller, those that are over included, as lines
// of JSON.
func export(notices *store.Store) *sdk.Export {
	return &sdk.Export{
		FileName: "notices.jsonl", MediaType: "application/jsonl",
		Write: func(ctx context.Context, w io.Writer) error {
			lines := json.NewEncoder(w)
			return notices.Each(ctx, sdk.CallFrom(ctx).BillerID, func(n notice.Notice) error {
				if err := lines.Encode(exportedNotice{n.Text, n.FirstDay, n.LastDay, n.WrittenBy}); err != nil {
					return fmt.Errorf("write notice: %w", err)
				}
				return nil
			})
		},
	}
}
