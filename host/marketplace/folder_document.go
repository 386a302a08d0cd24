package marketplace

import (
	"context"
	"errors"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Document implements Source: it reads the package, which nobody has signed, once.
func (f *Folder) Document(ctx context.Context, m *manifest.Manifest, name string) ([]byte, error) {
	file := documentFile(m, name)
	if file == "" {
		return nil, noDocument(m, name)
	}
	key := m.ID + " " + m.Version
	f.mu.Lock()
	known, ok := f.documents[key]
	f.mu.Unlock()
	if !ok {
		var err error
		if known, err = f.readDocuments(ctx, m); err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.documents[key] = known
		f.mu.Unlock()
	}
	data, ok := known[file]
	if !ok || checkDocument(file, data) != nil {
		return nil, noDocument(m, name)
	}
	return data, nil
}

func (f *Folder) readDocuments(ctx context.Context, m *manifest.Manifest) (_ map[string][]byte, err error) {
	r, err := f.Fetch(ctx, m.ID, m.Version)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return pack.ReadFiles(r, MaxDocument, Readme, Changelog, m.IconFile())
}
