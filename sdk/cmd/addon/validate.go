package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// validateCmd checks a manifest, the folder around one, an unpacked package or
// an archive, and the programs in it.
type validateCmd struct {
	Path   string            `arg:"" optional:"" default:"." help:"A folder with manifest.yaml, a manifest, or an .addon package."`
	Binary map[string]string `mapsep:"none" placeholder:"OS/ARCH=FILE" help:"A program of a folder or manifest and its platform; may be repeated. Default: what lies in dist of the folder, as addon or as OS_ARCH/addon."`
	Static bool              `help:"Only look at the files; start no program."`
	JSON   bool              `name:"json" help:"Write the result as one JSON object."`
	Quiet  bool              `short:"q" help:"Only say whether it is valid."`
}

// Help tells what the exit codes mean.
func (validateCmd) Help() string {
	return "The program for this machine is started as a process, with an empty environment and what the manifest asks for. " +
		"Exit codes: 0 valid, 1 mistakes found, 2 it could not be checked."
}

// ownPlatform is the platform whose programs run here.
const ownPlatform = runtime.GOOS + "/" + runtime.GOARCH

// Run prints what the add-on asks for, or returns every mistake.
func (c *validateCmd) Run(ctx context.Context, con *console) (err error) {
	temp, err := os.MkdirTemp("", "addon-validate-")
	if err != nil {
		return unchecked(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	v := &validation{report: report{Path: c.Path, Problems: []problem{}, Notes: []string{}}, temp: temp}
	if err := v.load(c); err != nil {
		return unchecked(err)
	}
	if err := v.programs(ctx, c.Static); err != nil {
		return unchecked(err)
	}
	return v.finish(con, c)
}

// validation is one thing that is validated.
type validation struct {
	report

	temp     string
	manifest *manifest.Manifest // what could be read of it; may be nil
	binaries map[string]string  // files by platform
	packed   bool               // a package, which has all its programs
	doubt    string             // why a program cannot be compared with the manifest
}

// load reads the manifest and finds the programs.
func (v *validation) load(c *validateCmd) error {
	info, err := os.Stat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist; give a folder with %s, a manifest or an %s package", c.Path, manifest.FileName, pack.Extension)
	case err != nil:
		return err
	case !info.IsDir() && strings.HasSuffix(c.Path, pack.Extension):
		return v.loadPackage(c)
	case !info.IsDir():
		v.binaries = c.Binary
		return v.loadManifest(c.Path)
	}
	if _, err := os.Stat(filepath.Join(c.Path, pack.ListName)); err == nil {
		p, err := pack.InspectDir(c.Path)
		v.fromPackage(p, err)
		return c.noBinaries()
	}
	if err := v.loadManifest(filepath.Join(c.Path, manifest.FileName)); err != nil {
		return err
	}
	if v.binaries = c.Binary; v.binaries == nil && v.manifest != nil {
		v.binaries = built(c.Path, v.manifest.Platforms)
	}
	return nil
}

func (c *validateCmd) noBinaries() error {
	if len(c.Binary) > 0 {
		return errors.New("--binary is for a folder or a manifest; a package has its own programs")
	}
	return nil
}

// built finds the programs that lie where README.md of a new add-on puts them.
func built(dir string, platforms []string) map[string]string {
	found := map[string]string{}
	for _, p := range append(slices.Clone(platforms), ownPlatform) {
		candidates := []string{filepath.Join(dir, "dist", strings.ReplaceAll(p, "/", "_"), "addon")}
		if p == ownPlatform {
			candidates = append([]string{filepath.Join(dir, "dist", "addon")}, candidates...)
		}
		for _, file := range candidates {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && found[p] == "" {
				found[p] = file
			}
		}
	}
	return found
}

func (v *validation) loadManifest(file string) error {
	data, err := readManifest(file)
	if err != nil {
		return err
	}
	v.manifest, err = manifest.Inspect(file, data)
	v.wrong(err)
	return nil
}

func (v *validation) loadPackage(c *validateCmd) error {
	if err := c.noBinaries(); err != nil {
		return err
	}
	f, err := os.Open(c.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(v.temp, "package")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return errors.Join(err, f.Close())
	}
	p, err := pack.Inspect(f, dir, pack.Limits{})
	v.fromPackage(p, err)
	return f.Close()
}

func (v *validation) fromPackage(p *pack.Package, err error) {
	v.packed = true
	v.wrong(err)
	if p == nil {
		return
	}
	v.manifest, v.binaries = p.Manifest, map[string]string{}
	for _, platform := range p.Platforms() {
		v.binaries[platform] = p.Path(pack.BinaryPath(platform))
	}
}

// programs checks the format of each program and runs the one for this machine.
func (v *validation) programs(ctx context.Context, static bool) error {
	if v.manifest == nil {
		return nil
	}
	sound := map[string]bool{}
	for _, platform := range platformsOf(v.binaries) {
		what, note := wrongFormat(v.binaries[platform], platform)
		sound[platform] = what == ""
		if what != "" {
			v.add(problem{Code: "format", Platform: platform, Message: what})
		}
		v.note(note)
		if !v.packed && !v.manifest.SupportsPlatform(platform) {
			v.add(problem{Code: "platform", Platform: platform, Message: fmt.Sprintf(
				"The manifest lists %s; add %s to platforms or leave the program out.", strings.Join(v.manifest.Platforms, ", "), platform)})
		}
	}
	v.missing()
	for _, platform := range platformsOf(v.binaries) {
		switch {
		case !sound[platform]:
		case static:
			v.note(platform + ": only the program's format was checked, as --static asks.")
		case platform != ownPlatform:
			v.note(platform + ": only the program's format was checked; this machine is " + ownPlatform + ".")
		case v.doubt != "":
			v.note(platform + ": the program was not started; mend the manifest first (" + v.doubt + ").")
		default:
			if err := v.examine(ctx, platform); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing tells of platforms that the manifest names and nobody built for. A
// folder may still be at work.
func (v *validation) missing() {
	if len(v.binaries) == 0 && !v.packed {
		v.note("No program was checked: build one as dist/addon, or name one with --binary " + ownPlatform +
			"=FILE. A script, such as one in Node, is none: try it with addon run, and test it with the package sdktest.")
		return
	}
	if len(v.binaries) == 0 {
		return // the package's layout says so
	}
	for _, platform := range v.manifest.Platforms {
		system, arch, ok := strings.Cut(platform, "/")
		switch {
		case !ok || v.binaries[platform] != "":
		case v.packed:
			v.add(problem{Code: "no_program", Platform: platform, Message: fmt.Sprintf(
				"The manifest lists %s, and there is no program for it. Build one with GOOS=%s GOARCH=%s and pack it with --binary %s=FILE, or remove %s from platforms.",
				platform, system, arch, platform, platform)})
		default:
			v.note(platform + ": there is no program yet; a package needs one.")
		}
	}
}

// examine runs the program for this machine.
func (v *validation) examine(ctx context.Context, platform string) error {
	dir := filepath.Join(v.temp, "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	found, err := sdktest.Examine(ctx, v.binaries[platform], v.manifest, dir)
	for _, f := range found {
		v.add(problem{Code: f.Code, Platform: platform, Message: f.Message})
	}
	if err != nil {
		return fmt.Errorf("examine the program for %s: %w", platform, err)
	}
	return nil
}

func readManifest(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; addon init writes one to start from", file)
	}
	return data, err
}

func loadManifest(file string) (*manifest.Manifest, error) {
	data, err := readManifest(file)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(file, data)
}
