package millrace

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plain lists what our sentences do not say, with what they say instead. Readers know English as a second language: a
// word has one meaning, and the field's term where there is one.
var plain = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\bin vain\b`), "say what has no effect"},
	{regexp.MustCompile(`(?i)\bfor ever\b`), "indefinitely; never ends"},
	{regexp.MustCompile(`(?i)\bamiss\b`), "wrong; name the error"},
	{regexp.MustCompile(`(?i)\bby chance\b`), "randomly"},
	{regexp.MustCompile(`(?i)\b(is|are|was|were) told\b`), "receives; is reported"},
	{regexp.MustCompile(`(?i)\bsays whether\b`), "reports whether"},
	{regexp.MustCompile(`(?i)\bthose who\b|\b(?-i:[Nn]obody)\b`), "name the thing"},
	{regexp.MustCompile(`(?i)\bgoes before\b`), "overrides; takes precedence over"},
	{regexp.MustCompile(`(?i)\b(is|are) borne\b`), "is tolerated"},
	{regexp.MustCompile(`(?i)\blets? go\b`), "releases; drops"},
	{regexp.MustCompile(`(?i)\b(has|have) (it|them|[a-z]+) (called|done|run|told|asked)\b`), "calls; name what causes it"},
	{regexp.MustCompile(`(?i)\b(stands|stand) (in|on|for|at|still|behind|before)\b`), "is in; is established; is written"},
	{regexp.MustCompile(`(?i)\bin front of\b`), "before"},
}

// plainLeft is the number of lines per folder that still say such words. A number may only fall.
var plainLeft = map[string]int{
	".":                  1,
	"examples/broadcast": 8,
	"examples/client":    1,
	"examples/conform":   2,
	"examples/embed":     1,
	"examples/server":    2,
	"roles/h2":           47,
	"roles/ws":           14,
}

func TestPlainEnglish(t *testing.T) {
	found := make(map[string][]string)
	for _, f := range repository() {
		ext := path.Ext(f.path)
		if ext != ".go" && ext != ".md" || f.path == "tidy_language_test.go" {
			continue
		}
		for i, line := range strings.Split(string(f.text), "\n") {
			for _, p := range plain {
				if m := p.pattern.FindString(line); m != "" {
					dir := path.Dir(f.path)
					found[dir] = append(found[dir], fmt.Sprintf("%s:%d %q: %s", f.path, i+1, m, p.instead))
					break
				}
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		if lines := found[dir]; len(lines) > plainLeft[dir] {
			t.Errorf("%s: %d lines are not in plain technical English, more than %d:\n%s", dir, len(lines), plainLeft[dir], strings.Join(lines, "\n"))
		} else {
			t.Logf("%s: %d lines left of %d", dir, len(lines), plainLeft[dir])
		}
	}
}
