package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func exporter(write func(ctx context.Context, w io.Writer) error) sdk.Addon {
	return addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Export: &sdk.Export{FileName: "data.jsonl", MediaType: "application/jsonl", Write: write}}
	})
}

func TestExportStreams(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	i := sdktest.Start(t, exporter(func(ctx context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, sdk.CallFrom(ctx).BillerID+"\n"); err != nil {
			return err
		}
		_, err := w.Write(big)
		return err
	}))
	as, file, err := i.Export(t.Context(), sdktest.Northwind)
	if err != nil || as != (wire.Exported{FileName: "data.jsonl", MediaType: "application/jsonl"}) || string(file) != sdktest.Northwind+"\n"+string(big) {
		t.Errorf("Export = %+v, %d bytes, %v", as, len(file), err)
	}
}

func TestExportErrors(t *testing.T) {
	t.Parallel()
	opened := false
	open := func(wire.Exported) (io.Writer, error) { opened = true; return io.Discard, nil }
	call := sdk.Call{BillerID: sdktest.Northwind}
	none := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts { return sdk.Parts{} }))
	if err := none.Client.Export(t.Context(), call, open); !apperr.Is(err, apperr.NotFound) || opened {
		t.Errorf("without an export: %v, opened %t", err, opened)
	}
	broken := sdktest.Start(t, exporter(func(_ context.Context, w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, errors.New("secret path"))
	}))
	if err := broken.Client.Export(t.Context(), call, open); !apperr.Is(err, apperr.Internal) || !opened {
		t.Errorf("broken: %v, opened %t", err, opened)
	}
	if err := broken.Client.Export(t.Context(), sdk.Call{}, open); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("no biller: %v", err)
	}
	panics := sdktest.Start(t, exporter(func(context.Context, io.Writer) error { panic("ouch") }))
	if err := panics.Client.Export(t.Context(), call, open); !apperr.Is(err, apperr.Internal) {
		t.Errorf("panic: %v", err)
	}
}

// TestExportEndsWithItsReader: nobody reads on, so the add-on stops writing.
func TestExportEndsWithItsReader(t *testing.T) {
	t.Parallel()
	stopped := make(chan error, 1)
	i := sdktest.Start(t, exporter(func(_ context.Context, w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				stopped <- err
				return err
			}
		}
	}))
	full := errors.New("disk is full")
	err := i.Client.Export(t.Context(), sdk.Call{BillerID: sdktest.Northwind}, func(wire.Exported) (io.Writer, error) { return refusing{full}, nil })
	if !errors.Is(err, full) || <-stopped == nil {
		t.Errorf("Export = %v", err)
	}
}

type refusing struct{ err error }

func (r refusing) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return 0, r.err
}
