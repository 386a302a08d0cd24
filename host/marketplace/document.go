package marketplace

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// The files of a package that can be read before it is installed. They are
// published beside it, each as a target of its own, so that each is signed.
const (
	// Readme is Markdown: what the add-on is.
	Readme = "README.md"
	// Changelog is Markdown: what each version brought.
	Changelog = "CHANGELOG.md"
	// Icon is the file that the manifest names as icon, SVG or PNG.
	Icon = "icon"
)

// MaxDocument is how long a document may be, in bytes; a longer one is left out.
const MaxDocument = 256 << 10

// maxIconSide is how many pixels a PNG icon may measure.
const maxIconSide = 1024

func documents() []string { return []string{Readme, Changelog, Icon} }

// documentFile is the path of a document in its package; "" if there is none by
// that name.
func documentFile(m *manifest.Manifest, name string) string {
	switch name {
	case Readme, Changelog:
		return name
	case Icon:
		return m.IconFile()
	}
	return ""
}

// documentPath is the target of a document.
func documentPath(m *manifest.Manifest, name string) string {
	if name == Icon {
		name += path.Ext(m.IconFile())
	}
	return m.ID + "/" + m.Version + "/" + name
}

// isDocument tells the target of a document from that of a package.
func isDocument(target string) bool { return strings.Count(target, "/") == 2 }

// storedDocument is the file of a document's target.
func storedDocument(target, digest string) string {
	dir, name := path.Split(target)
	return dir + digest + "." + name
}

// document is what is signed of a document.
type document struct {
	digest string
	size   int64
}

// documentsOf returns the documents that a list of targets offers, by target. What
// is too long for a document is none.
func documentsOf(targets *metadata.TargetsType) map[string]document {
	found := map[string]document{}
	for target, t := range targets.Targets {
		sum, ok := t.Hashes["sha256"]
		if isDocument(target) && ok && t.Length <= MaxDocument {
			found[target] = document{hex.EncodeToString(sum), t.Length}
		}
	}
	return found
}

// PackageDocument returns a document of an unpacked package. NotFound if the
// package has none, or one that is no such document.
func PackageDocument(p *pack.Package, name string) ([]byte, error) {
	file := documentFile(p.Manifest, name)
	listed, ok := p.File(file)
	if file == "" || !ok || listed.Size > MaxDocument {
		return nil, noDocument(p.Manifest, name)
	}
	data, err := os.ReadFile(p.Path(file))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if checkDocument(file, data) != nil {
		return nil, noDocument(p.Manifest, name)
	}
	return data, nil
}

func noDocument(m *manifest.Manifest, name string) error {
	return apperr.Errorf(apperr.NotFound, "%s %s has no %s.", m.Name, m.Version, name)
}

// checkDocument says Invalid of what a browser or a reader should not be given.
func checkDocument(file string, data []byte) error {
	if len(data) > MaxDocument {
		return apperr.Errorf(apperr.Invalid, "%s has more than %d bytes.", file, MaxDocument)
	}
	var err error
	switch strings.ToLower(path.Ext(file)) {
	case ".png":
		err = checkPNG(data)
	case ".svg":
		err = checkSVG(data)
	}
	if err != nil {
		return apperr.Wrap(apperr.Invalid, file+" is not a picture that can be shown: "+err.Error()+".", err)
	}
	return nil
}

func checkPNG(data []byte) error {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return errors.New("it is no PNG")
	}
	if config.Width > maxIconSide || config.Height > maxIconSide {
		return fmt.Errorf("it measures more than %d pixels", maxIconSide)
	}
	return nil
}

// checkSVG wants well-formed XML of shapes: no declarations, which could define
// entities, nothing that runs and nothing that holds other documents. Browsers run
// and load nothing of a picture anyway, and icons are served in a sandbox; this is
// the wall before those.
func checkSVG(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	for first := true; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if err != nil {
			return errors.New("it is no SVG")
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("it has a document type")
		case xml.StartElement:
			name := strings.ToLower(t.Name.Local)
			if first && name != "svg" {
				return errors.New("it is no SVG")
			}
			first = false
			if err := checkElement(name, t.Attr); err != nil {
				return err
			}
		}
	}
}

func checkElement(name string, attributes []xml.Attr) error {
	switch name {
	case "script", "foreignobject", "iframe", "object", "embed", "image", "audio", "video", "handler":
		return fmt.Errorf("it holds <%s>", name)
	}
	for _, a := range attributes {
		key := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(key, "on") || key == "href" && !strings.HasPrefix(strings.TrimSpace(a.Value), "#") {
			return fmt.Errorf("it has the attribute %s", key)
		}
	}
	return nil
}
