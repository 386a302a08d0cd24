package observe

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Take is what a process's sound spans go through.
func (t *Tracer) Take(addonID string, list []wire.Span) (dropped int) {
	return t.take(addonID, resource.NewSchemaless(attribute.String("service.name", addonID)), list)
}

// SpanBurst is how many spans an add-on may send at once after a rest.
const SpanBurst = spanBurst
