package sdktest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// exports: a biller takes its data out, also after the add-on was removed for it, in
// a file with a name that is no path.
func exports(ctx context.Context, s *subject) error {
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	export := func(when string) error {
		return s.inTime(ctx, "Export "+when, func(ctx context.Context) error {
			as, _, err := i.Export(ctx, Northwind)
			if err != nil {
				return err
			}
			return soundExport(as)
		})
	}
	switch err := export("while the add-on is installed"); {
	case apperr.Is(err, apperr.NotFound):
		return fmt.Errorf("%w: the add-on has no export", errNotApplicable)
	case err != nil:
		return err
	}
	disable := func(ctx context.Context) error { return i.Disable(ctx, Northwind) }
	if err := s.inTime(ctx, "Disable", disable); err != nil {
		return err
	}
	return errors.Join(export("after Disable"), export("once more"), s.healthy(ctx, i))
}

func soundExport(as wire.Exported) error {
	name := as.FileName
	if name == "" || name != path.Base(name) || strings.ContainsAny(name, `\/`) || strings.ContainsFunc(name, unicode.IsControl) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("the file is called %.100q, want a name without a path", name)
	}
	if !strings.Contains(as.MediaType, "/") {
		return fmt.Errorf("the file's media type is %.100q", as.MediaType)
	}
	return nil
}
