package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxLine is the longest line kept of an add-on's output, in bytes.
	maxLine = 16 << 10
	// reportSize is how much of the end of stderr is kept.
	reportSize = 64 << 10
	// linesPerSecond and bytesPerSecond bound what one add-on puts into the host's
	// log.
	linesPerSecond = 500
	bytesPerSecond = 1 << 20
	maxAttrs       = 32
)

// lineReader cuts a stream into lines of bounded length.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader, size int) lineReader {
	return lineReader{bufio.NewReaderSize(r, size)}
}

// next returns a line without its end. The rest of a line that is too long is
// dropped; the last line may lack its end.
func (l lineReader) next() ([]byte, error) {
	part, err := l.r.ReadSlice('\n')
	line := bytes.Clone(bytes.TrimRight(part, "\r\n"))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.r.ReadSlice('\n')
	}
	if err != nil && len(line) == 0 {
		return nil, err
	}
	return line, nil
}

// output forwards what an add-on writes to the host's log and keeps the end of
// it for the crash report.
type output struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	tail    []byte
	second  time.Time
	lines   int
	bytes   int
	dropped int
}

func newOutput(log *slog.Logger, now func() time.Time) *output { return &output{log: log, now: now} }

// stderr takes one line.
func (o *output) stderr(line []byte) {
	if o.keep(line) {
		o.forward(line)
	}
}

// keep adds the line to the crash report and tells whether it may be logged.
func (o *output) keep(line []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(append(o.tail, line...), '\n')
	if len(o.tail) > 2*reportSize {
		o.tail = slices.Clone(o.tail[len(o.tail)-reportSize:])
	}
	if now := o.now().Truncate(time.Second); !now.Equal(o.second) {
		o.second, o.lines, o.bytes = now, 0, 0
	}
	if o.lines++; o.lines > linesPerSecond || o.bytes+len(line) > bytesPerSecond {
		if o.dropped++; o.dropped == 1 {
			time.AfterFunc(time.Second, o.tellDropped)
		}
		return false
	}
	o.bytes += len(line)
	return true
}

// tellDropped logs how many lines were not: a second after the first of them, and
// when the process has ended.
func (o *output) tellDropped() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped > 0 {
		o.log.Warn("add-on log lines dropped", "lines", o.dropped)
		o.dropped = 0
	}
}

// report returns the end of what was written to stderr.
func (o *output) report() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail
	if len(tail) > reportSize {
		tail = tail[len(tail)-reportSize:]
	}
	return strings.ToValidUTF8(string(tail), "\uFFFD")
}

// forward logs one line: a record of the SDK's logger as such, anything else as
// text.
func (o *output) forward(line []byte) {
	level, message, attrs, ok := parseRecord(line)
	if !ok {
		o.log.Warn("add-on wrote to stderr", "text", strings.ToValidUTF8(string(line), "\uFFFD"))
		return
	}
	o.log.Log(context.Background(), level, message, attrs...)
}

// parseRecord reads a line in the format of hclog. Whatever has another shape
// is not ok.
func parseRecord(line []byte) (slog.Level, string, []any, bool) {
	if len(line) == 0 || line[0] != '{' {
		return 0, "", nil, false
	}
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return 0, "", nil, false
	}
	message, ok := fields["@message"].(string)
	name, okLevel := fields["@level"].(string)
	if !ok || !okLevel {
		return 0, "", nil, false
	}
	var attrs []any
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") && len(attrs) < 2*maxAttrs {
			attrs = append(attrs, foreign(key), fields[key])
		}
	}
	return levelOf(hclog.LevelFromString(name)), message, attrs, true
}

// foreign keeps an add-on from writing what only the host says in its log: who
// logged, when, and how grave it is.
func foreign(key string) string {
	switch key {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey, "addon", "version":
		return "_" + key
	}
	return key
}

func levelOf(l hclog.Level) slog.Level {
	switch l {
	case hclog.Trace, hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// printed is what the add-on printed after its start, a line at a time.
type printed struct {
	output *output
	mu     sync.Mutex
	rest   []byte
}

// Write implements io.Writer; it never fails.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(b)
	for {
		line, after, found := bytes.Cut(b, []byte("\n"))
		if room := maxLine - len(p.rest); room > 0 {
			p.rest = append(p.rest, line[:min(len(line), room)]...)
		}
		if !found {
			return n, nil
		}
		if len(p.rest) > 0 {
			p.output.stderr(p.rest)
		}
		p.rest, b = nil, after
	}
}

// pluginLogger gives go-plugin a logger whose warnings reach the host's log.
func pluginLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Warn})
	l.RegisterSink(sink{log})
	return l
}

type sink struct{ log *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	if level >= hclog.Warn {
		// These are about a process that is ending anyway, which is logged.
		s.log.Debug("process glue", "message", msg, "details", args)
	}
}
