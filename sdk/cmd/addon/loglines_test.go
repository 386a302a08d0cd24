package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLongLineKeepsEveryByte(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogLines(&out)
	text := strings.Repeat("x", maxLine+10) + "\n" + `{"@level":"warn","@message":"m","@timestamp":"2026-05-02T13:04:05Z","n":1}` + "\n"
	for part := range strings.SplitSeq(text, "x") {
		if _, err := l.Write([]byte("x" + part)); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "x"); n != maxLine+11 {
		t.Errorf("%d bytes of %d", n, maxLine+11)
	}
	if !strings.HasSuffix(out.String(), "\n13:04:05 WARN  m n=1\n") || !strings.HasSuffix(l.tail(), "n=1") {
		t.Errorf("last line %q", l.tail())
	}
}
