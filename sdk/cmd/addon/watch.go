package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long nothing may be saved before a build begins: editors and
// git write several files.
const settle = 150 * time.Millisecond

// watcher tells when an author has saved something the program is made of.
type watcher struct {
	saved chan struct{} // one message for any number of changes

	fs    *fsnotify.Watcher
	root  string
	ended sync.WaitGroup

	mu    sync.Mutex
	files map[string]bool // that matter whatever their names
	dirs  map[string]bool // in which every file matters
}

// watch watches the folder of package main with everything below it.
func watch(root string) (*watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{saved: make(chan struct{}, 1), fs: notify, root: root, files: map[string]bool{}, dirs: map[string]bool{}}
	if err := w.addTree(root); err != nil {
		return nil, errors.Join(err, notify.Close())
	}
	w.ended.Go(w.run)
	return w, nil
}

func (w *watcher) close() error {
	err := w.fs.Close()
	w.ended.Wait()
	return err
}

// addTree watches a folder and those below it that can hold sources.
func (w *watcher) addTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != root:
			return nil // it has gone meanwhile
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case path != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"node_modules", "dist", "testdata"}, d.Name())):
			return fs.SkipDir
		}
		return w.fs.Add(path)
	})
}

// follow watches what the program is made of besides the folder of package main.
func (w *watcher) follow(dirs, files []string) error {
	w.mu.Lock()
	for _, f := range files {
		w.files[f], w.dirs[filepath.Dir(f)] = true, true
	}
	w.mu.Unlock()
	for _, dir := range dirs {
		if err := w.fs.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// single watches one file, which editors may replace, and not its neighbours.
func (w *watcher) single(file string) error {
	w.mu.Lock()
	w.files[file] = true
	w.mu.Unlock()
	return w.fs.Add(filepath.Dir(file))
}

func (w *watcher) run() {
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			if w.matters(e) {
				quiet.Reset(settle)
			}
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) { // nobody knows what was saved
				quiet.Reset(settle)
			}
		case <-quiet.C:
			select {
			case w.saved <- struct{}{}:
			default: // somebody has yet to look
			}
		}
	}
}

// matters tells whether a change can change the program.
func (w *watcher) matters(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Base(e.Name)
	if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
		inside := strings.HasPrefix(e.Name, w.root+string(filepath.Separator))
		// A folder that cannot be watched has gone again.
		return e.Has(fsnotify.Create) && inside && w.addTree(e.Name) == nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.files[e.Name]:
		return true
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, "_test.go"):
		return false
	case w.dirs[filepath.Dir(e.Name)]:
		return true
	}
	return slices.Contains([]string{".go", ".c", ".h", ".s"}, filepath.Ext(name)) || slices.Contains([]string{"go.mod", "go.sum", "go.work"}, name)
}
