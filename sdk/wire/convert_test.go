package wire_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// filler puts a different value into every field it meets.
type filler struct{ n int64 }

func (f *filler) fill(v reflect.Value, path string) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+f.n, 123_000).UTC()))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)})))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s-%d", path, f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.n)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0), path+"[0]")
		f.fill(v.Index(1), path+"[1]")
	case reflect.Map:
		elem := reflect.New(v.Type().Elem()).Elem()
		f.fill(elem, path+"[k]")
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), elem)
	default:
		panic("no filler for " + path + " of kind " + v.Kind().String())
	}
}

// unset lists the fields of the message that carry nothing. The call travels
// beside the value and is checked by itself.
func unset(m protoreflect.Message, path string) (missing []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := path + "." + string(fd.Name())
		switch {
		case fd.Message() != nil && fd.Message().FullName() == "addon.v1.Call":
		case !m.Has(fd):
			missing = append(missing, name)
		case fd.IsList() && fd.Message() != nil:
			for n := range m.Get(fd).List().Len() {
				missing = append(missing, unset(m.Get(fd).List().Get(n).Message(), name)...)
			}
		case fd.Message() != nil && !fd.IsMap() && fd.Message().FullName() != "google.protobuf.Timestamp":
			missing = append(missing, unset(m.Get(fd).Message(), name)...)
		}
	}
	return missing
}

// mapped checks one pair of conversions: each field of the Go type survives,
// and each field of the message is used.
func mapped[T any, M proto.Message](to func(T) M, from func(M) T) func(*testing.T) {
	return func(t *testing.T) {
		var want T
		new(filler).fill(reflect.ValueOf(&want).Elem(), reflect.TypeFor[T]().Name())
		m := to(want)
		for _, name := range unset(m.ProtoReflect(), string(m.ProtoReflect().Descriptor().Name())) {
			t.Errorf("%s is not mapped", name)
		}
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		received := m.ProtoReflect().New().Interface().(M)
		if err := proto.Unmarshal(data, received); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, from(received), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("after the way there and back (-want +got):\n%s", diff)
		}
		var zero T
		if diff := cmp.Diff(zero, from(to(zero)), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("the zero value changes (-want +got):\n%s", diff)
		}
	}
}

type callAndToken struct {
	Call  sdk.Call
	Token string
}

func TestEveryFieldIsMapped(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(*testing.T){
		"Call": mapped(
			func(c callAndToken) *pb.Call { return wire.CallToPB(c.Call, c.Token) },
			func(c *pb.Call) callAndToken { call, token := wire.CallFromPB(c); return callAndToken{call, token} },
		),
		"Person":            mapped(wire.PersonToPB, wire.PersonFromPB),
		"Customer":          mapped(wire.CustomerToPB, wire.CustomerFromPB),
		"CustomerPage":      mapped(wire.CustomerPageToPB, wire.CustomerPageFromPB),
		"CustomerQuery":     mapped(wire.CustomerQueryToPB, wire.CustomerQueryFromPB),
		"Invoice":           mapped(wire.InvoiceToPB, wire.InvoiceFromPB),
		"InvoicePage":       mapped(wire.InvoicePageToPB, wire.InvoicePageFromPB),
		"InvoiceQuery":      mapped(wire.InvoiceQueryToPB, wire.InvoiceQueryFromPB),
		"Biller":            mapped(wire.BillerToPB, wire.BillerFromPB),
		"Message":           mapped(wire.MessageToPB, wire.MessageFromPB),
		"MailResult":        mapped(wire.MailResultToPB, wire.MailResultFromPB),
		"StaffNotice":       mapped(wire.StaffNoticeToPB, wire.StaffNoticeFromPB),
		"AuditEvent":        mapped(wire.AuditToPB, wire.AuditFromPB),
		"Invitation":        mapped(wire.InvitationToPB, wire.InvitationFromPB),
		"InvitationStatus":  mapped(wire.InvitationStatusToPB, wire.InvitationStatusFrom),
		"SignUpState":       mapped(wire.SignUpStateToPB, wire.SignUpStateFromPB),
		"Profile":           mapped(wire.ProfileToPB, wire.ProfileFromPB),
		"SignedIn":          mapped(wire.SignedInToPB, wire.SignedInFromPB),
		"Registration":      mapped(wire.RegistrationToPB, wire.RegistrationFromPB),
		"RegistrationQuery": mapped(wire.RegistrationQueryToPB, wire.RegistrationQueryFrom),
		"Event":             mapped(wire.EventToPB, wire.EventFromPB),
		"Database":          mapped(wire.DatabaseToPB, wire.DatabaseFromPB),
	} {
		t.Run(name, check)
	}
}

func TestEscapeQuery(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":            "",
		"a=b&c=%20":   "a=b&c=%20",
		"q=caf\xe9":   "q=caf%E9",
		"q=café":      "q=caf%C3%A9",
		"q=a b\x00\n": "q=a+b%00%0A",
	} {
		if got := wire.EscapeQuery(in); got != want {
			t.Errorf("EscapeQuery(%q) = %q, want %q", in, got, want)
		}
	}
}
