package policy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testsIn returns the names of the tests of a package beside this one.
func testsIn(t *testing.T, dir string) map[string]bool {
	files, err := filepath.Glob("../" + dir + "/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s (%v)", dir, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

// TestProofs: a key that the reference page calls "acted on" names a test that proves it, which exists. Whoever
// removes or renames the test changes the page, or finds another.
func TestProofs(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, s := range scopes {
		for _, k := range s.keys {
			if k.proof == "" {
				continue
			}
			dir, test, ok := strings.Cut(k.proof, ".")
			if !ok || k.ignored || k.refused {
				t.Errorf("%s %s: the proof %q is no package.Test, or the key is ignored or refused", s.name, k.name, k.proof)
				continue
			}
			if known[dir] == nil {
				known[dir] = testsIn(t, dir)
			}
			if !known[dir][test] {
				t.Errorf("%s %s: there is no test %s that could prove that the key is acted on: name another, or let the page say \"checked\"", s.name, k.name, k.proof)
			}
		}
	}
}

// TestPageClaimsWhatIsProved: keys, protocols and endpoints that are not acted on yet, and what the page says of them.
func TestPageClaimsWhatIsProved(t *testing.T) {
	page := string(Reference())
	for _, c := range []struct{ table, key, now string }{
		{"policy", "release", "checked"}, {"policy", "product", "checked"}, {"policy", "metrics", "checked"}, {"policy", "auth", "checked"},
		{"policy", "via-socks5", "refused"}, {"s", "via-socks5", "refused"}, {"s", "use_auth", "refused"}, {"s", "local_sink", "refused"},
		{"s", "mqtt_qos", "checked"}, {"s", "urgent_tx", "checked"}, {"s", "plugins", "ignored"}, {"s", "tls", "acted on"},
	} {
		for _, k := range keysOf(c.table) {
			if k.name == c.key && k.status().String() != c.now {
				t.Errorf("%s %s: the page says %q, want %q", c.table, c.key, k.status(), c.now)
			}
		}
	}
	for _, claim := range []string{"mqtt is read and checked, but not implemented yet", "`file://` is an error", "join the vhost of that name. Not implemented yet",
		"DSCP CS1, type of service 0x20"} {
		if !strings.Contains(page, claim) {
			t.Errorf("the page does not say %q", claim)
		}
	}
}
