package millrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The rules of the repository are tests. They read files with package os in this process, and not only with the go
// command, so that go test detects a stale cached result.

// file is one file of the repository: its path with slashes, relative to the root, and its content.
type file struct {
	path string
	text []byte
}

func (f file) isGo() bool   { return strings.HasSuffix(f.path, ".go") }
func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// repository returns every text file of the repository except .git and testdata.
var repository = sync.OnceValue(func() (files []file) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == ".cache" || name == "testdata"):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a temporary file of another process
		}
		if err == nil && bytes.IndexByte(text, 0) < 0 { // else it is a binary that lies about
			files = append(files, file{filepath.ToSlash(path), text})
		}
		return err
	})
	if err != nil {
		panic(err)
	}
	return files
})

// source is a parsed Go file.
type source struct {
	file
	set *token.FileSet
	ast *ast.File
}

func (s source) at(p token.Pos) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(p).Line)
}

// dir returns the folder of the file: the import path of its package below that of the module.
func (s source) dir() string {
	if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		return s.path[:i]
	}
	return "."
}

// sources returns the Go files of all modules in the repository.
var sources = sync.OnceValue(func() (list []source) {
	for _, f := range repository() {
		if !f.isGo() {
			continue
		}
		s := source{file: f, set: token.NewFileSet()}
		var err error
		if s.ast, err = parser.ParseFile(s.set, f.path, f.text, parser.ParseComments); err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	return list
})

// pkg is the output of go list for a package of the root module.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Imports    []string
	Deps       []string
	Error      *struct{ Err string }
}

const module = "github.com/millrace/millrace"

// inHouse returns the path of p below that of the module, "." for the root; ok if p is in the module.
func inHouse(path string) (short string, ok bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

var packages = sync.OnceValues(func() (list []pkg, err error) {
	out, err := command(".", "go", "list", "-e", "-json=ImportPath,Name,Dir,Imports,Deps,Error", "./...")
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
})

func listPackages(t *testing.T) []pkg {
	t.Helper()
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 8 {
		t.Fatalf("go list found %d packages: this test looks in the wrong place", len(list))
	}
	return list
}

// command runs a program in dir and returns its standard output; the error has its standard error.
func command(dir, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	var out, msg bytes.Buffer
	c.Stdout, c.Stderr = &out, &msg
	if err := c.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, msg.Bytes())
	}
	return out.Bytes(), nil
}

func TestGofmt(t *testing.T) {
	for _, f := range repository() {
		if !f.isGo() {
			continue
		}
		want, err := format.Source(f.text)
		if err != nil {
			t.Errorf("%s does not parse: %v", f.path, err)
		} else if !bytes.Equal(want, f.text) {
			t.Errorf("%s is not formatted: run gofmt -w %s", f.path, f.path)
		}
	}
}

// A source file with more than sourceLines lines has two subjects; tests are tables and may be longer.
const sourceLines, testLines = 600, 800

func TestFileLength(t *testing.T) {
	for _, f := range repository() {
		limit := sourceLines
		if f.isTest() {
			limit = testLines
		}
		if n := bytes.Count(f.text, []byte("\n")); f.isGo() && n > limit {
			t.Errorf("%s has %d lines, more than %d: find the seam between its subjects and split it there", f.path, n, limit)
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	// Concatenated, so that this file does not contain them.
	mark := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"}, "|") + `)\b`)
	for _, f := range repository() {
		for i, line := range strings.Split(string(f.text), "\n") {
			if m := mark.FindString(line); m != "" {
				t.Errorf("%s:%d says %s: do it now, or say in the docs what is missing\n\t%s", f.path, i+1, m, strings.TrimSpace(line))
			}
		}
	}
}

func TestLicence(t *testing.T) {
	text, err := os.ReadFile("LICENSE")
	if err != nil {
		t.Fatalf("LICENSE must be in the root: %v", err)
	}
	if !bytes.Contains(text, []byte("Permission is hereby granted, free of charge")) {
		t.Errorf("LICENSE is not the MIT licence; it begins %q", text[:min(60, len(text))])
	}
}

// allowedModules lists the modules that an importer of Millrace gets; docs/architecture.md has the reasons.
var allowedModules = []string{
	"github.com/cloudflare/circl",
	"github.com/klauspost/compress",
	"github.com/valyala/fastjson",
	"golang.org/x/crypto",
	"golang.org/x/net",
	"golang.org/x/sys",
}

func TestRequiredModules(t *testing.T) {
	if _, err := os.ReadFile("go.mod"); err != nil {
		t.Fatal(err)
	}
	out, err := command(".", "go", "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !slices.Contains(allowedModules, r.Path) {
			t.Errorf("go.mod requires %s %s, which is not in allowedModules: do without it, or move what needs it to interop/ or bench/", r.Path, r.Version)
		}
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: importers would not get the replacement; remove it", r.Old.Path)
	}
}

// allowedPackages lists the packages of these modules that this module may import, with their purpose and the size that
// they add to a binary.
var allowedPackages = map[string]string{
	"github.com/cloudflare/circl/sign/mldsa/mldsa65": "signatures of policies, FIPS 204: 100 KB",
	"github.com/klauspost/compress/flate":            "permessage-deflate with a stateless writer: 128 KB",
	"github.com/valyala/fastjson":                    "policies: 24 KB",
	"golang.org/x/crypto/chacha20poly1305":           "an AEAD of TLS 1.3 that the standard library has but does not export",
	"golang.org/x/net/dns/dnsmessage":                "messages of DNS: 72 KB",
	"golang.org/x/net/http2/hpack":                   "header compression of HTTP/2: 44 KB",
	"golang.org/x/sys/unix":                          "system calls",
}

func TestImportedPackages(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, i := range p.Imports {
			first, _, _ := strings.Cut(i, "/")
			if _, ours := inHouse(i); !ours && strings.Contains(first, ".") && allowedPackages[i] == "" {
				t.Errorf("%s imports %s, which is not in allowedPackages: do without it, or add it with its purpose and size", p.ImportPath, i)
			}
		}
	}
}

// binaryLimit is the largest size of a static, stripped millrace: it must fit into the flash memory of a router.
const binaryLimit = 8 << 20

func TestBinarySize(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: links a binary")
	}
	bin := filepath.Join(t.TempDir(), "millrace")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin, "./cmd/millrace")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/millrace: %v\n%s", err, out)
	}
	i, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("millrace measures %d bytes", i.Size())
	if i.Size() > binaryLimit {
		t.Errorf("a stripped millrace measures %d bytes, more than %d: go tool nm -size -sort size tells what grew", i.Size(), binaryLimit)
	}
}

// TestNestedModules runs the tests of the nested modules, which ./... does not include.
func TestNestedModules(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs the tests of interop and bench")
	}
	for _, f := range repository() {
		dir, ok := strings.CutSuffix(f.path, "/go.mod")
		if !ok {
			continue
		}
		t.Run(dir, func(t *testing.T) {
			out, err := command(dir, "go", "test", "./...")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
