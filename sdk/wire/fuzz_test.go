package wire_test

import (
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// frames is a stream of messages that a fuzzer made.
type frames struct {
	grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut]
	rest []byte
}

// Recv takes a length byte and as many bytes as one message.
func (f *frames) Recv() (*pb.HTTPOut, error) {
	if len(f.rest) == 0 {
		return nil, io.EOF
	}
	n := min(int(f.rest[0]), len(f.rest)-1)
	data := f.rest[1 : 1+n]
	f.rest = f.rest[1+n:]
	out := &pb.HTTPOut{}
	if err := proto.Unmarshal(data, out); err != nil {
		return nil, err
	}
	return out, nil
}

func mustFrame(f *testing.F, m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return append([]byte{byte(len(data))}, data...)
}

// FuzzAnswer feeds the host whatever an add-on might send for a page.
func FuzzAnswer(f *testing.F) {
	head := &pb.ResponseHead{Status: 200, Headers: []*pb.Header{{Key: "content-type", Values: []string{"a", "b"}}}}
	whole := mustFrame(f, &pb.HTTPOut{Head: head, Body: []byte("x"), End: true})
	f.Add(whole)
	f.Add(append(mustFrame(f, &pb.HTTPOut{Head: head, Flush: true}), mustFrame(f, &pb.HTTPOut{Body: []byte("y"), End: true})...))
	f.Add(append(mustFrame(f, &pb.HTTPOut{Head: head}), whole...))
	f.Add(mustFrame(f, &pb.HTTPOut{Body: []byte("no head")}))
	f.Add(mustFrame(f, &pb.HTTPOut{Head: &pb.ResponseHead{Status: -1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		heads := 0
		err := wire.CopyAnswer(t.Context(), &frames{rest: data}, func(status int, h http.Header) (wire.ResponseBody, error) {
			heads++
			if status < 200 || status > 599 || h == nil {
				t.Errorf("status %d, header %v", status, h)
			}
			return discard{}, nil
		})
		if heads > 1 || err == nil && heads == 0 {
			t.Errorf("%d heads, %v", heads, err)
		}
	})
}

// FuzzRequest feeds the add-on whatever a host might send as a page's head.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{"/", "/a%2Fb", "", "//x", "http://x/y", "/%", "/\x00", "*"} {
		data, err := proto.Marshal(&pb.HTTPIn{Head: &pb.RequestHead{Method: "GET", Path: path, RawQuery: "%zz", Scheme: "https"}})
		if err != nil {
			continue
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &pb.HTTPIn{}
		if proto.Unmarshal(data, in) != nil {
			return
		}
		r, err := wire.PageRequestOf(t.Context(), in)
		if err != nil {
			return
		}
		if r.URL == nil || r.Body == nil || r.Header == nil || r.URL.Host != "" {
			t.Errorf("request %+v for %v", r, in)
		}
	})
}
