package millrace

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport lists the packages of this module that each package may import. A pattern matches as path.Match
// does; the first match applies. Packages of cmd and examples may import all packages.
var mayImport = []struct {
	pkg    string
	may    []string
	reason string // why it may import no more
}{
	{".", nil, "the root holds no code"},
	{"internal/list", nil, "a list knows nothing of its elements"},
	{"internal/machine", nil, "a table of states knows no protocol"},
	{"internal/machine/machinetest", []string{"internal/machine"}, "a test helper for tables knows no protocol"},
	{"loop", nil, "the reactor knows descriptors and time, nothing else"},
	{"loop/looptest", []string{"loop"}, "the suite judges a loop.System and nothing above it"},
	{"policy", nil, "a policy can be checked without anything that could run it"},
	{"roles", nil, "the two interfaces are below every protocol"},
	{"roles/http", []string{"roles"}, "what protocols share depends on none of them"},
	{"roles/http/cookie", nil, "a jar knows cookies, and no protocol"},
	{"roles/rolestest", []string{"roles", "roles/http"}, "a test transport knows no protocol"},
	{"roles/http/*", []string{"roles", "roles/http"}, "what HTTP messages carry depends on no protocol that carries them"},
	{"roles/*", []string{"roles", "roles/http", "internal/list", "internal/machine"}, "a role is tested by handing it bytes"},
	{"dns", []string{"loop"}, "the resolver's core gets its transport from its user"},
	{"tls", []string{"loop", "roles", "internal/list", "internal/machine"}, "TLS is a layer between a connection and a role"},
	{"wsi/dial", []string{"loop", "dns", "roles", "roles/tunnel", "internal/machine"}, "a dial ends with a socket, before there is a connection"},
	{"wsi", []string{"wsi/dial", "loop", "tls", "dns", "roles", "internal/list", "internal/machine"}, "a connection knows no protocol and no stream"},
	{"sim", []string{"loop"}, "the simulated kernel replaces the real one"},
	{"ss/device", []string{"loop", "roles/http/*"}, "the values of the device exist before any stream"},
	{"ss/internal/secure", []string{"loop", "tls", "policy", "ss/device"}, "a TLS context is made of a policy, whatever stream it is for"},
	{"ss/internal/meta", []string{"roles", "roles/http"}, "metadata are values, whatever stream has them"},
	{"ss/internal/logring", nil, "a log ring knows nothing of what is logged"},
	{"ss/pool", []string{"internal/list"}, "a pool knows keys, connections and requests by interfaces of its own"},
	{"ss", []string{"internal/list", "loop", "wsi", "tls", "policy", "roles", "roles/*", "roles/http/*", "ss/device", "ss/pool", "ss/internal/*"}, "a stream uses connections"},
	{"ss/sstest", []string{"loop", "wsi", "policy", "sim", "ss"}, "a test environment uses what its program uses"},
	{"ss/wire", nil, "the frames are tested by handing them bytes"},
	{"ss/proxy", []string{"loop", "wsi", "policy", "roles", "roles/*", "ss", "ss/wire"}, "the proxy uses streams"},
}

func onTop(short string) bool {
	return strings.HasPrefix(short, "cmd/") || short == "examples" || strings.HasPrefix(short, "examples/")
}

func TestImportDirections(t *testing.T) {
	for _, p := range listPackages(t) {
		short, _ := inHouse(p.ImportPath)
		if onTop(short) {
			continue
		}
		rule := -1
		for i, r := range mayImport {
			if ok, _ := path.Match(r.pkg, short); ok {
				rule = i
				break
			}
		}
		if rule < 0 {
			t.Errorf("%s is not in mayImport: decide what it may import", short)
			continue
		}
		r := mayImport[rule]
		for _, i := range p.Imports {
			of, ours := inHouse(i)
			if ours && !slices.ContainsFunc(r.may, func(pat string) bool { ok, _ := path.Match(pat, of); return ok }) {
				t.Errorf("%s imports %s; it may import %v, because %s", short, of, r.may, r.reason)
			}
		}
	}
}

// Test support never reaches a program, and the simulated kernel only those of this module.
func TestTestSupportStaysInTests(t *testing.T) {
	for _, p := range listPackages(t) {
		short, _ := inHouse(p.ImportPath)
		for _, i := range p.Imports {
			of, _ := inHouse(i)
			if strings.HasSuffix(of, "test") || i == "testing" && !strings.HasSuffix(short, "test") {
				t.Errorf("%s imports %s outside of its tests", short, i)
			}
			if of == "sim" && !onTop(short) && short != "ss/sstest" {
				t.Errorf("%s imports sim; only tests, ss/sstest, cmd and examples may", short)
			}
		}
	}
}

// noNetwork are the packages that use no network: they convert bytes to calls and calls to bytes.
var noNetwork = []string{"roles", "policy", "ss/wire", "dns"}

func TestRolesHaveNoNetwork(t *testing.T) {
	for _, p := range listPackages(t) {
		short, _ := inHouse(p.ImportPath)
		if !slices.ContainsFunc(noNetwork, func(top string) bool { return short == top || strings.HasPrefix(short, top+"/") }) {
			continue
		}
		for _, i := range p.Imports {
			if i == "net" || i == "os" || i == "syscall" || strings.HasPrefix(i, "golang.org/x/sys") {
				t.Errorf("%s imports %s: it takes bytes from its caller and returns bytes, and touches no socket and no file", short, i)
			}
		}
	}
}

// net/http adds 1.5 MB to a binary, and many libraries import it.
func TestNoNetHTTP(t *testing.T) {
	for _, p := range listPackages(t) {
		if slices.Contains(p.Deps, "net/http") {
			t.Errorf("%s depends on net/http: go list -deps -json %s shows by which way; net/http is for tests, bench and interop", p.ImportPath, p.ImportPath)
		}
	}
}
