// Package csvfile reads the customer list that accounting programs export as
// CSV, with the headers of QuickBooks Online. It reads row by row and keeps
// nothing of the file in memory.
package csvfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Column is one column of the document.
type Column string

// The columns that are read. Only ColumnName must be there.
const (
	ColumnName    Column = "Name"
	ColumnDisplay Column = "Display name"
	ColumnNumber  Column = "Account number"
	ColumnCompany Column = "Company name"
	ColumnEmail   Column = "Email"
	ColumnPhone   Column = "Phone"
	ColumnStreet  Column = "Street Address"
	ColumnCity    Column = "City"
	ColumnState   Column = "State"
	ColumnZip     Column = "Zip"
	ColumnCountry Column = "Country"
	ColumnType    Column = "Customer type"
	ColumnBalance Column = "Open balance"
)

// aliases are other spellings of the headers, without case, spaces and signs.
func aliases() map[string]Column {
	return map[string]Column{
		"name": ColumnName, "customer": ColumnName, "customername": ColumnName, "fullname": ColumnName, "customerfullname": ColumnName,
		"displayname": ColumnDisplay, "customerdisplayname": ColumnDisplay,
		"accountnumber": ColumnNumber, "accountno": ColumnNumber, "account": ColumnNumber, "number": ColumnNumber, "customernumber": ColumnNumber, "customerid": ColumnNumber,
		"companyname": ColumnCompany, "company": ColumnCompany,
		"email": ColumnEmail, "emailaddress": ColumnEmail, "mainemail": ColumnEmail, "customeremail": ColumnEmail,
		"phone": ColumnPhone, "phonenumber": ColumnPhone, "phonenumbers": ColumnPhone, "mainphone": ColumnPhone,
		"streetaddress": ColumnStreet, "street": ColumnStreet, "address": ColumnStreet, "addressline1": ColumnStreet, "billingstreet": ColumnStreet, "billingaddress": ColumnStreet,
		"city": ColumnCity, "billingcity": ColumnCity,
		"state": ColumnState, "province": ColumnState, "stateprovince": ColumnState, "billingstate": ColumnState, "region": ColumnState,
		"zip": ColumnZip, "zipcode": ColumnZip, "postalcode": ColumnZip, "postcode": ColumnZip, "billingzip": ColumnZip, "billingzipcode": ColumnZip,
		"country": ColumnCountry, "billingcountry": ColumnCountry,
		"customertype": ColumnType, "type": ColumnType,
		"openbalance": ColumnBalance, "balance": ColumnBalance, "openbalancetotal": ColumnBalance, "balancetotal": ColumnBalance,
	}
}

// Row is one customer of the file.
type Row struct {
	// Line is where the row begins, counted from 1, the header's being 1.
	Line int
	// Values holds the cells of the columns that the file has, trimmed.
	Values map[Column]string
}

// Has tells whether the file has the column.
func (r Row) Has(c Column) bool {
	_, ok := r.Values[c]
	return ok
}

// Refusal says why a row is not taken.
type Refusal struct {
	Line   int
	Column string
	Reason string
}

// String is one line for people.
func (r Refusal) String() string {
	if r.Column == "" {
		return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
	}
	return fmt.Sprintf("line %d, column %q: %s", r.Line, r.Column, r.Reason)
}

// Reader reads rows.
type Reader struct {
	csv     *csv.Reader
	bound   *bound
	columns []Column // "" where the column is unknown
	headers map[Column]string
	// Ignored are the headers of columns that are not read.
	Ignored []string
}

const (
	maxRow    = 1 << 20 // bytes
	readAhead = 64 << 10
)

// bound ends a row that never ends, because of an unclosed quote, before it
// fills the memory.
type bound struct {
	io.Reader
	left int
}

func errLongRow() error {
	return apperr.Errorf(apperr.Invalid, "A row is longer than 1 MB; a closing quote may be missing.")
}

// Read implements io.Reader.
func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow()
	}
	n, err := b.Reader.Read(p)
	b.left -= n
	return n, err
}

// NewReader reads the header. Errors: Invalid for an empty file, a missing
// column Name, or two columns of one meaning.
func NewReader(r io.Reader) (*Reader, error) {
	limit := &bound{r, maxRow}
	buffered := bufio.NewReaderSize(limit, readAhead)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		if _, err := buffered.Discard(3); err != nil {
			return nil, fmt.Errorf("skip byte order mark: %w", err)
		}
	}
	c := csv.NewReader(buffered)
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, apperr.Errorf(apperr.Invalid, "The file is empty. Its first line must name the columns.")
	}
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, "The first line cannot be read as CSV", err)
	}
	reader := &Reader{csv: c, bound: limit, headers: map[Column]string{}}
	if err := reader.readHeader(header); err != nil {
		return nil, err
	}
	return reader, nil
}

func (r *Reader) readHeader(header []string) error {
	known := aliases()
	for _, h := range header {
		h = strings.TrimSpace(h)
		column := known[key(h)]
		if first, taken := r.headers[column]; taken {
			return apperr.Errorf(apperr.Invalid, "The columns %q and %q mean the same; remove one.", first, h)
		}
		r.columns = append(r.columns, column)
		if column == "" {
			if h != "" {
				r.Ignored = append(r.Ignored, h)
			}
			continue
		}
		r.headers[column] = h
	}
	if _, ok := r.headers[ColumnName]; !ok {
		return apperr.Errorf(apperr.Invalid, "The column Name is missing. The first line must name the columns.")
	}
	return nil
}

// key is a header without case, spaces and signs.
func key(header string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(header))
}

// Header returns how the file names the column, for messages.
func (r *Reader) Header(c Column) string {
	if h, ok := r.headers[c]; ok {
		return h
	}
	return string(c)
}

// Read returns the next row, or a refusal for one that is no CSV or has too
// many cells. Empty lines are skipped. After the last row it returns io.EOF;
// any other error ends the reading: the file underneath, or Invalid for a row
// without end.
func (r *Reader) Read() (Row, *Refusal, error) {
	for {
		r.bound.left = maxRow
		cells, err := r.csv.Read()
		if perr := (*csv.ParseError)(nil); errors.As(err, &perr) {
			return Row{}, &Refusal{Line: perr.StartLine, Reason: "this is not valid CSV: " + perr.Err.Error()}, nil
		}
		if err != nil {
			return Row{}, nil, err
		}
		if empty(cells) {
			continue
		}
		line, _ := r.csv.FieldPos(0)
		row, refusal := r.row(line, cells)
		return row, refusal, nil
	}
}

func (r *Reader) row(line int, cells []string) (Row, *Refusal) {
	if len(cells) > len(r.columns) && !empty(cells[len(r.columns):]) {
		return Row{}, &Refusal{Line: line, Reason: fmt.Sprintf("the row has %d cells, the first line %d", len(cells), len(r.columns))}
	}
	row := Row{Line: line, Values: make(map[Column]string, len(r.columns))}
	for i, column := range r.columns {
		if column == "" {
			continue
		}
		row.Values[column] = ""
		if i < len(cells) {
			row.Values[column] = strings.TrimSpace(cells[i])
		}
	}
	return row, nil
}

func empty(cells []string) bool {
	return strings.TrimSpace(strings.Join(cells, "")) == ""
}
