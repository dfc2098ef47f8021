package millrace

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)
	mdHeading = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	mdCode    = regexp.MustCompile("`[^`]*`")
	htmlImage = regexp.MustCompile(`<(?:img|a)[^>]*\b(?:src|href)="([^"]+)"`)
	// slugDrops matches the characters of a heading that its anchor does not have.
	slugDrops = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
)

// prose returns the lines of a Markdown file; lines of fenced code are empty.
func prose(text []byte) []string {
	lines := strings.Split(string(text), "\n")
	fenced := false
	for i, l := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fence {
			fenced = !fenced
		}
		if fenced || fence {
			lines[i] = ""
		}
	}
	return lines
}

// anchors returns the fragments of a Markdown file that links may use, in the form of GitHub.
func anchors(text []byte) map[string]bool {
	known := map[string]bool{}
	for _, l := range prose(text) {
		if m := mdHeading.FindStringSubmatch(l); m != nil {
			slug := slugDrops.ReplaceAllString(strings.ToLower(m[1]), "")
			known[strings.ReplaceAll(slug, " ", "-")] = true
		}
	}
	return known
}

// TestLinks follows every relative link of every page.
func TestLinks(t *testing.T) {
	for _, f := range repository() {
		if !strings.HasSuffix(f.path, ".md") {
			continue
		}
		for i, line := range prose(f.text) {
			line = mdCode.ReplaceAllString(line, "")
			for _, m := range append(mdLink.FindAllStringSubmatch(line, -1), htmlImage.FindAllStringSubmatch(line, -1)...) {
				if why := broken(f.path, m[1]); why != "" {
					t.Errorf("%s:%d links to %s: %s", f.path, i+1, m[1], why)
				}
			}
		}
	}
}

// broken returns the error of a link on the page at from, "" if there is none.
func broken(from, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	target, anchor, _ := strings.Cut(link, "#")
	if target == "" {
		target = from
	} else {
		target = path.Join(path.Dir(from), target)
	}
	if strings.HasPrefix(target, "..") {
		return "the target is outside the repository"
	}
	info, err := os.Stat(target)
	if err != nil {
		return "no such file: " + target
	}
	if anchor == "" || info.IsDir() || !strings.HasSuffix(target, ".md") {
		return ""
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	if !anchors(text)[anchor] {
		return target + " has no heading for #" + anchor
	}
	return ""
}

func TestAnchors(t *testing.T) {
	got := anchors([]byte("# Retry schemes: `retry`\n```\n# not a heading\n```\n## Two  words, and one_more\n"))
	for _, want := range []string{"retry-schemes-retry", "two--words-and-one_more"} {
		if !got[want] {
			t.Errorf("anchor %q was not found, got %v", want, got)
		}
	}
	if len(got) != 2 {
		t.Errorf("got %d anchors, want 2: %v", len(got), got)
	}
}

// mentioned matches names of Go in the pages: `pkg.Name`, `pkg.Type.Method`, for packages of this module.
var mentioned = regexp.MustCompile("`(loop|wsi|ss|device|policy|sim|roles|http|h1|raw)\\.([A-Z]\\w*)(?:\\.([A-Za-z]\\w*))?[^`]*`")

// TestPagesNameWhatExists looks up every `package.Name` that a page mentions in the source.
func TestPagesNameWhatExists(t *testing.T) {
	known := declared()
	for _, f := range repository() {
		if !strings.HasSuffix(f.path, ".md") || f.path == "CHANGELOG.md" {
			continue
		}
		for i, line := range prose(f.text) {
			for _, m := range mentioned.FindAllStringSubmatch(line, -1) {
				name := m[1] + "." + m[2]
				if m[3] != "" {
					name += "." + m[3]
				}
				if !known[name] {
					t.Errorf("%s:%d has %s, which does not exist: the page is stale or the name misspelt", f.path, i+1, name)
				}
			}
		}
	}
}
