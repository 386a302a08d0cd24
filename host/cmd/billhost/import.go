package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/csvfile"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// importRows is how many rows share a transaction.
const importRows = 500

type importCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller whose customers these are."`
	File   string `arg:"" help:"CSV file; - reads standard input."`
}

// run brings the good rows in and reports every other on stderr. It fails if any
// row was refused; the good ones stay in.
func (cmd *importCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(slog.New(slog.NewTextHandler(p.Stderr, nil)))
	biller, err := l.BillerBySlug(ctx, cmd.Biller)
	if err != nil {
		return fmt.Errorf("biller %q: %w", cmd.Biller, err)
	}
	in := p.Stdin
	if cmd.File != "-" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	return importCustomers(ctx, l.Store, biller, in, p.Stdout, p.Stderr)
}

// importer brings one file in.
type importer struct {
	store   *store.Store
	biller  sdk.Biller
	reader  *csvfile.Reader
	stderr  io.Writer
	seen    map[string]int // line by name key
	pending []csvfile.Customer
	counts  map[store.Outcome]int
	refused int
	// held are refusals of lines that stand after the first pending one.
	held []csvfile.Refusal
}

func importCustomers(ctx context.Context, s *store.Store, biller sdk.Biller, in io.Reader, stdout, stderr io.Writer) error {
	reader, err := csvfile.NewReader(in)
	if err != nil {
		return err
	}
	im := &importer{store: s, biller: biller, reader: reader, stderr: stderr, seen: map[string]int{}, counts: map[store.Outcome]int{}}
	if len(reader.Ignored) > 0 {
		fmt.Fprintf(stderr, "columns not read: %s\n", strings.Join(reader.Ignored, ", "))
	}
	err = im.all(ctx)
	fmt.Fprintf(stdout, "%d created, %d changed, %d unchanged", im.counts[store.Created], im.counts[store.Changed], im.counts[store.Unchanged])
	if im.refused > 0 {
		fmt.Fprintf(stdout, ", %d refused", im.refused)
	}
	fmt.Fprintln(stdout)
	if err == nil && im.refused > 0 {
		if im.refused == 1 {
			return errors.New("1 row was refused; correct it and import the file again")
		}
		return fmt.Errorf("%d rows were refused; correct them and import the file again", im.refused)
	}
	return err
}

func (im *importer) all(ctx context.Context) error {
	for {
		row, refusal, err := im.reader.Read()
		if errors.Is(err, io.EOF) {
			return im.flush(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("read file: %w", err), im.flush(ctx))
		}
		if refusal == nil {
			refusal = im.take(row)
		}
		if refusal != nil {
			im.refuse(*refusal)
		}
		if len(im.pending)+len(im.held) >= importRows {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// take puts a row among the next to be written.
func (im *importer) take(row csvfile.Row) *csvfile.Refusal {
	c, refusal := im.reader.Customer(row, im.biller.Currency)
	if refusal != nil {
		return refusal
	}
	key := books.NameKey(c.Name)
	if first, twice := im.seen[key]; twice {
		return &csvfile.Refusal{Line: row.Line, Column: im.reader.Header(csvfile.ColumnName),
			Reason: fmt.Sprintf("the name stands on line %d already; names tell customers apart", first)}
	}
	im.seen[key] = row.Line
	im.pending = append(im.pending, c)
	return nil
}

// refuse holds a refusal until what stands before it in the file is known.
func (im *importer) refuse(r csvfile.Refusal) {
	im.refused++
	im.held = append(im.held, r)
}

// tell prints the held refusals in the order of the lines.
func (im *importer) tell() {
	slices.SortStableFunc(im.held, func(a, b csvfile.Refusal) int { return a.Line - b.Line })
	for _, r := range im.held {
		fmt.Fprintln(im.stderr, r)
	}
	im.held = nil
}

// flush writes the pending rows in one transaction and tells what was refused. If
// a row is not accepted, each is written alone, so that it alone is refused.
func (im *importer) flush(ctx context.Context) error {
	defer im.tell()
	rows := im.pending
	im.pending = nil
	err := im.load(ctx, rows)
	if len(rows) == 0 || !refusable(err) {
		return err
	}
	for _, c := range rows {
		err := im.load(ctx, []csvfile.Customer{c})
		if refusable(err) {
			im.refuse(im.reader.Refuse(c.Line, err))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func refusable(err error) bool {
	return apperr.Is(err, apperr.Invalid) || apperr.Is(err, apperr.Conflict)
}

func (im *importer) load(ctx context.Context, rows []csvfile.Customer) error {
	entries := make([]store.Entry, len(rows))
	for i, c := range rows {
		entries[i] = store.Entry{Name: c.Name, Apply: c.Apply, Balance: c.Balance}
	}
	outcomes, err := im.store.Load(ctx, im.biller.ID, entries)
	if err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	for _, o := range outcomes {
		im.counts[o]++
	}
	return nil
}
