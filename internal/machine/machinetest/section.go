package machinetest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/machine"
)

var update = flag.Bool("update-machines", false, "rewrite the sections of docs/machines.md from the tables")

// Section checks table and compares the section of page between the lines <!-- begin name --> and <!-- end name -->
// with what the table gives: a diagram and a sentence per state. With -update-machines it writes the section, and adds
// it at the end of the page if it is not there.
func Section(t *testing.T, page, name, title string, table []machine.State) {
	t.Helper()
	if err := machine.Check(table); err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	first, last := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	want := first + render(title, table) + last
	start := bytes.Index(text, []byte(first))
	end := bytes.Index(text, []byte(last))
	if *update {
		if start < 0 {
			text = append(append(text, '\n'), want...)
		} else {
			text = []byte(string(text[:start]) + want + string(text[end+len(last):]))
		}
		if err := os.WriteFile(page, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if start < 0 || end < start {
		t.Fatalf("%s has no section %s: run this test with -update-machines", page, name)
	}
	if got := string(text[start : end+len(last)]); got != want {
		t.Errorf("%s: the section %s differs from the table: run this test with -update-machines\ngot:\n%s\nwant:\n%s", page, name, got, want)
	}
}

func render(title string, table []machine.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", title, table[0].Name)
	for _, s := range table {
		for _, m := range s.Moves {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", s.Name, table[m.To].Name, m.On)
		}
		if len(s.Moves) == 0 {
			fmt.Fprintf(&b, "    %s --> [*]\n", s.Name)
		}
	}
	b.WriteString("```\n\n| state | waits for |\n|---|---|\n")
	for _, s := range table {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.Name, s.Waits)
	}
	return b.String()
}
