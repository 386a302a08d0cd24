package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

const (
	maxLine  = 64 << 10
	maxLines = 20
)

// logLines makes an add-on's JSON log readable. Other lines pass as they are.
type logLines struct {
	mu   sync.Mutex
	out  io.Writer
	part []byte
	last []string
}

func newLogLines(out io.Writer) *logLines { return &logLines{out: out} }

// Write takes what the add-on printed, in pieces of any size.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		whole, rest, ended := bytes.Cut(l.part, []byte("\n"))
		if !ended && len(l.part) < maxLine {
			return len(p), nil
		}
		line := readable(whole)
		l.part = rest
		l.last = append(l.last, line)
		if len(l.last) > maxLines {
			l.last = l.last[1:]
		}
		if _, err := fmt.Fprintln(l.out, line); err != nil {
			return 0, err
		}
	}
}

// tail is the last lines, for an error message.
func (l *logLines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// readable is "12:30:05 WARN message key=value" for a line of the SDK's log.
func readable(line []byte) string {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return string(line)
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return string(line)
	}
	level, _ := fields["@level"].(string)
	at, _ := fields["@timestamp"].(string)
	if len(at) >= 19 {
		at = at[11:19]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %s", at, strings.ToUpper(level), message)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") {
			fmt.Fprintf(&b, " %s=%v", key, fields[key])
		}
	}
	return b.String()
}
