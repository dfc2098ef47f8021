package policy

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/policy.md from the key table")

const referencePage = "../docs/policy.md"

func TestReferencePage(t *testing.T) {
	want := Reference()
	if *update {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(referencePage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("%s is stale in line %d:\n got %s\nwant %s\nrewrite it: go test ./policy -run TestReferencePage -update", referencePage, i+1, a[i], b[i])
			}
		}
		t.Fatalf("%s is stale: it has %d lines, want %d", referencePage, len(a), len(b))
	}
	for _, s := range scopes {
		for _, k := range s.keys {
			if !bytes.Contains(got, []byte("\n| `"+k.name+"`")) {
				t.Errorf("%s has no row for %s", referencePage, k.name)
			}
		}
	}
}
