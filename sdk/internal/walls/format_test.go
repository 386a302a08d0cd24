package walls_test

import (
	"go/types"
	"testing"
)

// takesFormat tells whether a parameter of the standard library is a format.
func takesFormat(f *types.Func, v *types.Var) bool {
	return f.Pkg() != nil && v.Name() == "format" && isString(v.Type()) && (f.Pkg().Path() == "fmt" || f.Pkg().Path() == "log" || f.Pkg().Path() == "testing")
}

// formatParts are functions whose results may be formats, with the reason.
func formatParts() map[string]string {
	return map[string]string{}
}

// TestFormatsAreConstant: no value of anybody is read as a format, by fmt or by
// functions of ours that hand theirs on.
func TestFormatsAreConstant(t *testing.T) {
	t.Parallel()
	s, bad := findings(mustCode(t), takesFormat, formatParts())
	for _, b := range bad {
		t.Errorf("a format is not made of constants: %s", b)
	}
	if s.count < 500 {
		t.Errorf("looked at %d formats only", s.count)
	}
	for name := range s.allowed {
		if !s.used[name] {
			t.Errorf("%s is allowed and not used", name)
		}
	}
}
