package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// report is what addon validate found; with --json it is the output.
type report struct {
	Path     string    `json:"path"`
	Valid    bool      `json:"valid"`
	ID       string    `json:"id,omitempty"`
	Version  string    `json:"version,omitempty"`
	Problems []problem `json:"problems"`
	// Notes say what was not checked.
	Notes []string `json:"notes"`
}

// problem is one mistake.
type problem struct {
	// Code is "manifest", "package", "format", "platform", "no_program" or one of
	// sdktest.Finding.
	Code string `json:"code"`
	// File, Line, Column and Field say where in a manifest it is.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Field  string `json:"field,omitempty"`
	// Platform says whose program it is about.
	Platform string `json:"platform,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

// String is "where: what".
func (p problem) String() string {
	var b strings.Builder
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "":
		b.WriteString(p.File + ": ")
	case p.Platform != "":
		b.WriteString(p.Platform + ": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(strings.ReplaceAll(p.Message, "\n", "\n    "))
	return b.String()
}

func (r *report) add(p problem) { r.Problems = append(r.Problems, p) }

func (r *report) note(text string) {
	if text != "" {
		r.Notes = append(r.Notes, text)
	}
}

// String lists the mistakes.
func (r *report) String() string {
	noun := "mistakes"
	if len(r.Problems) == 1 {
		noun = "mistake"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d %s:", r.Path, len(r.Problems), noun)
	for _, p := range r.Problems {
		b.WriteString("\n  " + p.String())
	}
	for _, n := range r.Notes {
		b.WriteString("\n  (" + n + ")")
	}
	return b.String()
}

// wrong records what reading a manifest or a package gave.
func (v *validation) wrong(err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			v.wrong(e)
		}
		return
	}
	e, ok := errors.AsType[*manifest.Error](err)
	if !ok {
		message := err.Error()
		if apperr.CodeOf(err) != apperr.Internal {
			message = apperr.MessageOf(err)
		}
		v.add(problem{Code: "package", File: v.Path, Message: message})
		return
	}
	for _, p := range e.Problems {
		v.add(problem{Code: "manifest", File: e.Name, Line: p.Line, Column: p.Column, Field: p.Path, Message: p.Message})
		if v.doubt == "" && compared(p.Path) {
			v.doubt = strings.TrimPrefix(p.Path+": ", ": ") + p.Message
		}
	}
}

// compared tells whether a program is compared with this part of the manifest.
func compared(path string) bool {
	if path == "" {
		return true
	}
	for _, part := range []string{"id", "version", "capabilities", "permissions", "pages", "slots", "abilities"} {
		if rest, ok := strings.CutPrefix(path, part); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// finish prints what was found, or returns it as an error.
func (v *validation) finish(con *console, c *validateCmd) error {
	v.Valid = len(v.Problems) == 0
	if v.manifest != nil {
		v.ID, v.Version = v.manifest.ID, v.manifest.Version
	}
	switch {
	case c.JSON:
		data, err := json.MarshalIndent(v.report, "", "  ")
		if err != nil {
			return err
		}
		if err := con.printf("%s\n", data); err != nil || v.Valid {
			return err
		}
		return &failure{code: exitMistakes}
	case !v.Valid:
		return &failure{exitMistakes, errors.New(v.report.String())}
	case !c.Quiet:
		if err := con.printf("%s\n", v.manifest.Explain()); err != nil {
			return err
		}
		for _, n := range v.Notes {
			if err := con.printf("Note: %s\n", n); err != nil {
				return err
			}
		}
	}
	return con.printf("%s is valid.\n", c.Path)
}

func platformsOf(binaries map[string]string) []string {
	return slices.Sorted(maps.Keys(binaries))
}
