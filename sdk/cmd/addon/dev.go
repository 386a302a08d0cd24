package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// drainTime is how long requests of a replaced version may take to end.
const drainTime = 30 * time.Second

// dev builds an add-on anew whenever its author saves, starts each build beside
// the one that serves, and lets it serve once it is healthy.
type dev struct {
	*runCmd

	con     *console
	temp    string
	origin  string
	builder builder
	watcher *watcher
	stage   *stage

	number int      // of the newest build
	serves [32]byte // what the current version was made of
	others sync.WaitGroup

	mu    sync.Mutex
	hosts []*sdktest.Host // of every version, for the list of mails
}

// runDev is Run with --dev.
func (c *runCmd) runDev(ctx context.Context, con *console, l net.Listener, temp string) (err error) {
	dir, err := filepath.Abs(c.Path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder; --dev takes the folder of the add-on's package main", dir)
	}
	c.beside(dir)
	w, err := watch(dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	file, err := filepath.Abs(c.Manifest)
	if err != nil {
		return err
	}
	if err := w.single(file); err != nil {
		return fmt.Errorf("watch %s: %w", file, err)
	}
	d := &dev{
		runCmd: c, con: con, temp: temp, origin: "http://" + l.Addr().String(),
		builder: builder{dir: dir, debug: c.Debug}, watcher: w, stage: &stage{},
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	worked := make(chan struct{})
	go func() { defer close(worked); d.work(ctx) }()
	err = serveUntil(ctx, l, d.stage)
	cancel()
	<-worked
	if e := d.stage.put(nil); e != nil {
		err = errors.Join(err, e.instance.Stop())
	}
	d.others.Wait()
	return err
}

// beside finds manifest, static files and a folder for data beside the sources,
// where flags do not say otherwise.
func (c *runCmd) beside(dir string) {
	if c.Manifest == "" {
		c.Manifest = filepath.Join(dir, manifest.FileName)
	}
	if static := filepath.Join(dir, "static"); c.Static == "" {
		if info, err := os.Stat(static); err == nil && info.IsDir() {
			c.Static = static
		}
	}
}

// work makes a version for each time something was saved, until ctx ends.
func (d *dev) work(ctx context.Context) {
	for ctx.Err() == nil {
		making, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); d.renew(ctx, making) }()
		select {
		case <-ctx.Done():
		case <-d.watcher.saved:
		}
		cancel()
		<-done
	}
}

// errSame says that what was saved changes nothing.
var errSame = errors.New("the same program")

// renew makes a version of what is saved now. Until it is healthy, and if it
// never is, the current version serves. making ends when something newer was
// saved, ctx with the command.
func (d *dev) renew(ctx, making context.Context) {
	d.number++
	started := time.Now()
	e, err := d.make(making)
	switch {
	case making.Err() != nil && e != nil:
		d.retire(making, e)
	case making.Err() != nil:
	case errors.Is(err, errSame):
		d.stage.fail(nil)
		d.say("Saved; the program is still the same.")
	case err != nil:
		d.failed(err)
	default:
		d.serve(ctx, e, time.Since(started))
	}
}

// make builds and starts a version.
func (d *dev) make(ctx context.Context) (*edition, error) {
	if err := d.watcher.follow(d.builder.sources(ctx)); err != nil {
		return nil, fmt.Errorf("watch the sources: %w", err)
	}
	dir := filepath.Join(d.temp, fmt.Sprintf("build-%d", d.number))
	remove := func() error { return os.RemoveAll(dir) }
	file := filepath.Join(dir, "addon")
	d.say("Building ...")
	if err := d.builder.build(ctx, file); err != nil {
		return nil, errors.Join(err, remove())
	}
	e, err := d.start(ctx, file)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	e.number, e.remove = d.number, remove
	return e, nil
}

func (d *dev) start(ctx context.Context, file string) (*edition, error) {
	m, err := loadManifest(d.Manifest)
	if err != nil {
		return nil, err
	}
	sum, err := fingerprint(file, d.Manifest)
	if err != nil {
		return nil, err
	}
	if d.stage.serves() && sum == d.serves {
		return nil, errSame
	}
	t := &trial{manifest: m, program: file, static: d.Static, temp: d.temp, data: d.Data}
	i, err := d.launch(ctx, d.con, t)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.hosts = append(d.hosts, i.Host)
	d.mu.Unlock()
	b := newBoard(t, i, d.origin)
	b.mails, b.notices = d.mails, d.notices
	return &edition{instance: i, board: b, sum: sum}, nil
}

// fingerprint tells versions apart.
func fingerprint(files ...string) (sum [32]byte, err error) {
	h := sha256.New()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return sum, err
		}
		part := sha256.Sum256(data)
		// A hash takes everything.
		_, _ = h.Write(part[:])
	}
	return [32]byte(h.Sum(nil)), nil
}

// serve switches to the version and retires the one before.
func (d *dev) serve(ctx context.Context, e *edition, took time.Duration) {
	old := d.stage.put(e)
	d.serves = e.sum
	d.others.Go(func() { d.guard(e) })
	m := e.board.trial.manifest
	if old == nil {
		d.say("%s %s is running (build %d, process %d). Its pages:\n%sSave a file to build it anew. Stop with Ctrl+C.",
			m.Name, m.Version, e.number, e.instance.PID(), e.board.list())
		return
	}
	d.say("%s %s: build %d serves now (process %d, after %.1f s).", m.Name, m.Version, e.number, e.instance.PID(), took.Seconds())
	d.others.Go(func() { d.retire(ctx, old) })
}

// guard says when the version that serves ends by itself.
func (d *dev) guard(e *edition) {
	<-e.instance.Ended()
	f := &fault{Title: "The add-on has ended", Text: "The terminal shows what it said last. Save a file to start it again."}
	if d.stage.lose(e, f) {
		d.say("%s by itself. Save a file to start it again.", f.Title)
	}
}

// retire lets requests end and then the process, until ctx ends. A debugger may
// hold them for as long as it likes.
func (d *dev) retire(ctx context.Context, e *edition) {
	if !d.Debug {
		limited, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		ctx = limited
	}
	e.drained(ctx)
	if err := errors.Join(e.instance.Stop(), e.remove()); err != nil {
		d.say("Build %d did not end as it should: %v", e.number, err)
	}
}

// failed shows why the newest sources do not serve.
func (d *dev) failed(err error) {
	f := &fault{Title: "The new version does not start", Text: err.Error()}
	if _, ok := errors.AsType[*errBuild](err); ok {
		f.Title = "The build failed"
	} else if _, ok := errors.AsType[*manifest.Error](err); ok {
		f.Title = "The manifest has mistakes"
	}
	rest := "Save a file to try again."
	if d.stage.serves() {
		rest = "The last version that works goes on serving. " + rest
	}
	d.stage.fail(f)
	d.say("%s:\n%s\n%s", f.Title, f.Text, rest)
}

// mails are those of all versions.
func (d *dev) mails() []sdktest.Mail {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []sdktest.Mail
	for _, h := range d.hosts {
		all = append(all, h.Mails()...)
	}
	return all
}

// notices are what staff were told by all versions.
func (d *dev) notices() []sdktest.Notice {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []sdktest.Notice
	for _, h := range d.hosts {
		all = append(all, h.Notices()...)
	}
	return all
}

// say writes a line to the terminal. An author who has closed it needs none.
func (d *dev) say(format string, args ...any) {
	_ = d.con.printf(format+"\n", args...)
}
