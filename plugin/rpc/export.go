package rpc

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// exportReadme stands first in the file.
const exportReadme = `What the customer portal kept for your company.

Each file holds one record a line, as JSON. Times are UTC.

users.jsonl                       people who signed up, with their addresses
access.jsonl                      which customer each of them may see
sign_ups.jsonl                    sign-ups, finished or not
sign_up_customers.jsonl           the customers that were chosen at a sign-up
invitations.jsonl                 invitations
history.jsonl                     what happened to each customer's invitation and access
access_requests.jsonl             who asked for access with a forwarded invitation
erased_agreements_accepted.jsonl  which version people accepted who were erased since
agreements.jsonl                  versions of the agreement, with their text
agreements_accepted.jsonl         who accepted which version, when and from where
activity.jsonl                    what happened to sign-ins, by whom and from where

A file that is missing would be empty. Passwords, sign-in sessions, links, and
changes that still wait for a code are not in here.
`

// Export returns the portal's export: a ZIP file with one file of JSON lines for
// each kind of record.
func Export(s *portal.Service) *sdk.Export {
	return &sdk.Export{
		FileName: "customer-portal.zip", MediaType: "application/zip",
		Write: func(ctx context.Context, w io.Writer) error { return writeExport(ctx, s, w) },
	}
}

func writeExport(ctx context.Context, s *portal.Service, w io.Writer) error {
	z := zip.NewWriter(w)
	readme, err := z.Create("README.txt")
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	if _, err := io.WriteString(readme, exportReadme); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	var lines *json.Encoder
	open := ""
	err = s.Export(ctx, caller.Of(sdk.CallFrom(ctx), ""), func(kind string, row any) error {
		if kind != open {
			f, err := z.Create(kind + ".jsonl")
			if err != nil {
				return fmt.Errorf("write export: %w", err)
			}
			lines, open = json.NewEncoder(f), kind
		}
		if err := lines.Encode(row); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}
