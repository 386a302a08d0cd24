package wire

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// text replaces bytes that are no text. It is for what a platform keeps and a
// browser sends: one bad byte in a customer's name must not fail a page of
// customers, at every try. What a person types is refused instead (unsendable).
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// unsendable says which field of a message could not be sent because it holds
// bytes that are no text; nil if the call failed for another reason. It looks
// only after a failure: the encoder has checked what went out.
func unsendable(err error, sent any) error {
	if status.Code(err) != codes.Internal {
		return nil
	}
	m, ok := sent.(proto.Message)
	if !ok {
		return nil
	}
	field := badText(m.ProtoReflect())
	if field == "" {
		return nil
	}
	return apperr.Field(field, fmt.Sprintf("The %s holds characters that are no text. Please type it again.",
		strings.ReplaceAll(field, "_", " ")))
}

// badText returns the name of the first field, in the order of the definition,
// that is not UTF-8; "" if all are.
func badText(m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		if name := badField(fd, m.Get(fd)); name != "" {
			return name
		}
	}
	return ""
}

func badField(fd protoreflect.FieldDescriptor, v protoreflect.Value) (name string) {
	switch {
	case fd.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if name = badValue(fd.MapKey(), k.Value()); name == "" {
				name = badValue(fd.MapValue(), v)
			}
			return name == ""
		})
		if name != "" {
			name = string(fd.Name())
		}
	case fd.IsList():
		for i := 0; i < v.List().Len() && name == ""; i++ {
			name = badValue(fd, v.List().Get(i))
		}
	default:
		name = badValue(fd, v)
	}
	return name
}

func badValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case fd.Message() != nil:
		return badText(v.Message())
	case fd.Kind() == protoreflect.StringKind && !utf8.ValidString(v.String()):
		return string(fd.Name())
	}
	return ""
}
