package pages

import (
	"context"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// wentAway stands in metrics for a browser that did not wait for its answer.
const wentAway = 499

func surfaceName(s wire.Surface) string {
	switch s {
	case wire.Staff:
		return "staff"
	case wire.Slot:
		return "slot"
	default:
		return "public"
	}
}

// observed is one request that is passed on, as metrics, traces and the log know
// it.
type observed struct {
	handler          *Handler
	addonID, surface string
	began            time.Time
	span             trace.Span
	counted          func(status int)
	status           int // 0 until the answer began
}

// observe begins the request's span.
func (h *Handler) observe(r *http.Request, addonID string, s wire.Surface) (*observed, *http.Request) {
	o := &observed{handler: h, addonID: addonID, surface: surfaceName(s), began: time.Now()}
	o.counted = h.Meter.Page(addonID, o.surface)
	ctx, span := telemetry.Start(r.Context(), "addon page", trace.SpanKindClient)
	o.span = span
	if span.IsRecording() {
		span.SetAttributes(attribute.String("addon.id", addonID), attribute.String("addon.surface", o.surface))
		r = r.WithContext(ctx)
	}
	return o, r
}

// begins is judge, whose status is remembered once it agreed.
func (o *observed) begins(judge begin) begin {
	return func(status int, header http.Header) (io.Writer, error) {
		w, err := judge(status, header)
		if err == nil {
			o.status = status
		}
		return w, err
	}
}

// end tells what became of the request.
func (o *observed) end(r *http.Request, err error) {
	status := o.status
	switch {
	case context.Cause(r.Context()) != nil && err != nil:
		status = wentAway
	case err != nil && status == 0:
		status = statusOf(err)
	}
	o.counted(status)
	if o.span.IsRecording() {
		o.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	telemetry.End(o.span, err)
	o.handler.Log.DebugContext(r.Context(), "page answered", "addon", o.addonID, "surface", o.surface,
		"status", status, "took", time.Since(o.began).Round(time.Microsecond).String())
}
