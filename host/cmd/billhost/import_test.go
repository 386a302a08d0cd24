package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// customerList is a list of n customers as QuickBooks Online exports it.
func customerList(n int) string {
	var b strings.Builder
	b.WriteString("\xef\xbb\xbfName,Company name,Street Address,City,State,Country,Zip,Phone,Email,Attachments,Open balance\r\n")
	for i := range n {
		fmt.Fprintf(&b, "\"Customer, No. %04d\",Company %d,\"%d Main Street\",Clearwater,FL,USA,0%d,(727) 555-0100,c%d@customers.example,,\"$1,%03d.25\"\r\n", i, i, i, 3000+i, i, i%1000)
	}
	return b.String()
}

func TestImport(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := mustServe(t, place...)
			file := filepath.Join(t.TempDir(), "customers.csv")
			write := func(content string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(customerList(1000))
			imp := append([]string{"import", "--biller", "northwind", file}, place...)
			for _, want := range []string{"1000 created, 0 changed, 0 unchanged\n", "0 created, 0 changed, 1000 unchanged\n"} {
				if r := mustRun(t, imp...); r.stdout != want || r.stderr != "columns not read: Attachments\n" {
					t.Errorf("printed %q and %q, want %q", r.stdout, r.stderr, want)
				}
			}
			write(strings.Replace(customerList(1000), "Clearwater", "Dunedin", 3))
			if r := mustRun(t, imp...); r.stdout != "0 created, 3 changed, 997 unchanged\n" {
				t.Errorf("after a change: %q", r.stdout)
			}
			c := mustSignIn(t, up.link)
			if page := mustGet(t, c, up.base+"/admin/customers?q=c7%40customers"); !strings.Contains(page, "$1,007.25") {
				t.Errorf("not on the list:\n%s", page)
			}
		})
	}
}

// TestImportRefusals has its golden file beside it.
func TestImportRefusals(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := mustServe(t, "--data-dir", data).stop(); err != nil {
		t.Fatal(err)
	}
	r := run(t, "import", "--biller", "harbor", "--data-dir", data, filepath.Join("testdata", "customers.csv"))
	got := r.stdout + r.stderr + fmt.Sprintln("error:", r.err)
	want, err := os.ReadFile(filepath.Join("testdata", "customers.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("import (-want +got):\n%s", diff)
	}
	one := filepath.Join(t.TempDir(), "one.csv")
	if err := os.WriteFile(one, []byte("Name,Email\nNew Pool,none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "import", "--biller", "harbor", "--data-dir", data, one); r.err == nil || r.err.Error() != "1 row was refused; correct it and import the file again" {
		t.Errorf("one row: %v", r.err)
	}
	for args, want := range map[string]string{
		"none " + filepath.Join("testdata", "customers.csv"): "no such biller",
		"harbor /nowhere/x.csv":                              "no such file",
		"harbor " + "program_test.go":                        "The column Name is missing",
	} {
		slug, file, _ := strings.Cut(args, " ")
		if r := run(t, "import", "--biller", slug, "--data-dir", data, file); r.err == nil || !strings.Contains(r.err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, r.err, want)
		}
	}
}
