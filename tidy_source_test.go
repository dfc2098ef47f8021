package millrace

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// runtimeFile reports whether s is code that runs on a loop's thread in a program: not tests, support
// for tests, commands, examples and the other modules.
func runtimeFile(s source) bool {
	dir := s.dir()
	for _, top := range []string{"cmd", "examples", "bench", "interop"} {
		if dir == top || strings.HasPrefix(dir, top+"/") {
			return false
		}
	}
	return !s.isTest() && !strings.HasSuffix(dir, "test")
}

// banned lists functions that use the environment of the process instead of the loop's System. With them a run on
// sim could not be repeated, or the thread of the loop would block.
var banned = map[string]map[string]string{
	"time": {
		"Now": "take now as an argument", "Since": "take now as an argument", "Until": "take now as an argument",
		"After": "embed a loop.Timer", "AfterFunc": "embed a loop.Timer", "NewTimer": "embed a loop.Timer",
		"Tick": "embed a loop.Timer", "NewTicker": "embed a loop.Timer", "Sleep": "embed a loop.Timer",
	},
	"net": {
		"Dial": "use wsi.Net.Dial", "DialTimeout": "use wsi.Net.Dial", "DialTCP": "use wsi.Net.Dial", "DialUDP": "use wsi.Net.Dial",
		"DialUnix": "use wsi.Net.Dial", "Dialer": "use wsi.Net.Dial", "Listen": "use wsi.Net.Listen", "ListenTCP": "use wsi.Net.Listen",
		"ListenUDP": "use wsi.Net.Listen", "ListenUnix": "use wsi.Net.Listen", "ListenPacket": "use wsi.Net.Listen",
		"ListenConfig": "use wsi.Net.Listen", "Resolver": "use wsi.Resolver",
		"LookupHost": "use wsi.Resolver", "LookupIP": "use wsi.Resolver", "LookupAddr": "use wsi.Resolver",
	},
	"crypto/rand": {"Read": "use System.Rand", "Reader": "use System.Rand", "Int": "use System.Rand", "Text": "use System.Rand"},
}

// seeded are the names of the math/rand packages that do not touch the global generator.
var seeded = map[string]bool{
	"New": true, "NewSource": true, "NewZipf": true, "NewPCG": true, "NewChaCha8": true,
	"Rand": true, "Source": true, "Source64": true, "Zipf": true, "PCG": true, "ChaCha8": true,
}

// exceptions lists the uses of the real kernel, by file and name.
var exceptions = map[string]string{
	"loop/kernel_unix.go time.Now":         "the real Clock",
	"loop/kernel_unix.go time.Since":       "the real Clock",
	"loop/kernel_unix.go crypto/rand.Read": "the real Clock's chance",
	"loop/poll_linux.go time.Now":          "how long a wait took, which decides how the next one is made",
	"loop/poll_linux.go time.Since":        "how long a wait took, which decides how the next one is made",
	"loop/offload.go go":                   "workers of the real Offloader",
}

// mayImportOS are the folders whose runtime files import package os: they are the real System. All others read and write
// files through loop.Files, so that a simulated host has files of its own.
var mayImportOS = map[string]bool{"loop": true}

func TestFilesComeFromTheSystem(t *testing.T) {
	for _, s := range sources() {
		for _, i := range s.ast.Imports {
			if i.Path.Value == `"os"` && runtimeFile(s) && !mayImportOS[s.dir()] {
				t.Errorf("%s imports os: read and write files through loop.Files in an offloaded job", s.path)
			}
		}
	}
}

// use is a place where a file uses the environment of the process.
type use struct {
	pos           token.Pos
	what, instead string
}

// usesAmbientState returns the places where s uses the environment of the process, in order.
func usesAmbientState(s source) (found []use) {
	names := importNames(s)
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, use{n.Pos(), "go", "one loop is one goroutine; blocking work goes through Loop.Offload"})
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok || id.Obj != nil { // a variable that is named like a package
				return true
			}
			from, name := names[id.Name], n.Sel.Name
			if instead, bad := banned[from][name]; bad {
				found = append(found, use{n.Pos(), from + "." + name, instead})
			}
			if strings.HasPrefix(from, "math/rand") && !seeded[name] {
				found = append(found, use{n.Pos(), from + "." + name, "the global generator has no seed; use System.Rand"})
			}
		}
		return true
	})
	return found
}

func TestNothingAsksTheWorld(t *testing.T) {
	met := map[string]bool{}
	for _, s := range sources() {
		if !runtimeFile(s) {
			continue
		}
		for _, u := range usesAmbientState(s) {
			key := s.path + " " + u.what
			if met[key] = true; exceptions[key] == "" {
				t.Errorf("%s: %s below cmd: %s", s.at(u.pos), u.what, u.instead)
			}
		}
	}
	for key, why := range exceptions {
		if !met[key] {
			t.Errorf("the exception %q (%s) is not needed any more: remove it", key, why)
		}
	}
}

// TestUsesAmbientState checks the rule itself: it finds all uses, also under other import names, and nothing else.
func TestUsesAmbientState(t *testing.T) {
	const text = `package x
import (
	clock "time"
	"math/rand/v2"
	"net"
)
func f(time struct{ Now func() }) {
	time.Now()
	clock.Now()
	go f(time)
	rand.New(rand.NewPCG(1, 2)).IntN(3)
	rand.IntN(3)
	var d net.Dialer
	_ = net.ParseIP("::1")
	_, _ = d, clock.Second
}`
	s := source{file: file{path: "x.go"}, set: token.NewFileSet()}
	var err error
	if s.ast, err = parser.ParseFile(s.set, s.path, text, 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range usesAmbientState(s) {
		got = append(got, s.at(u.pos)+" "+u.what)
	}
	want := []string{"x.go:9 time.Now", "x.go:10 go", "x.go:12 math/rand/v2.IntN", "x.go:13 net.Dialer"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// importNames maps the names of the imports of a file to their paths.
func importNames(s source) map[string]string {
	names := map[string]string{}
	for _, i := range s.ast.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if name == "v2" {
			name = "rand" // math/rand/v2 is the one such path in use
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = path
	}
	return names
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, s := range sources() {
		if s.isTest() || s.ast.Name.Name == "main" {
			continue
		}
		for _, d := range s.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment: say what goes in, what comes out, what fails, and who owns the slices", s.at(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					undocumented(t, s, d, spec)
				}
			}
		}
	}
}

// exportedReceiver reports whether d is a function, or a method that godoc shows.
func exportedReceiver(d *ast.FuncDecl) bool { return d.Recv == nil || ast.IsExported(receiver(d)) }

// undocumented returns the exported names of spec without a comment of their own, of their line, or of their group.
func undocumented(t *testing.T, s source, d *ast.GenDecl, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && (d.Lparen.IsValid() || d.Doc == nil) {
			t.Errorf("%s: type %s has no comment", s.at(spec.Pos()), spec.Name.Name)
		}
		if i, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() {
			for _, m := range i.Methods.List {
				if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc == nil && m.Comment == nil && !follows(s, i, m) {
					t.Errorf("%s: method %s.%s has no comment", s.at(m.Pos()), spec.Name.Name, m.Names[0].Name)
				}
			}
		}
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if name.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
				t.Errorf("%s: %s has no comment", s.at(name.Pos()), name.Name)
			}
		}
	}
}

// follows reports whether m is on the line below another method, whose comment applies to both.
func follows(s source, i *ast.InterfaceType, m *ast.Field) bool {
	for _, o := range i.Methods.List {
		if o != m && s.set.Position(o.End()).Line == s.set.Position(m.Pos()).Line-1 {
			return true
		}
	}
	return false
}

// docLines is the smallest number of lines of a package comment that describes the purpose of the package, its limits,
// and its inputs and outputs.
const docLines = 5

func TestPackageComments(t *testing.T) {
	main, have := map[string]string{}, map[string]bool{}
	for _, s := range sources() {
		if s.isTest() {
			continue
		}
		main[s.dir()] = s.ast.Name.Name
		if s.ast.Doc == nil {
			continue
		}
		if have[s.dir()] = true; !strings.HasSuffix(s.path, "/doc.go") && s.path != "doc.go" && s.ast.Name.Name != "main" {
			t.Errorf("%s has a package comment: it belongs in doc.go, which new readers open first", s.path)
		}
		if n := strings.Count(s.ast.Doc.Text(), "\n"); n < docLines && s.ast.Name.Name != "main" {
			t.Errorf("%s: the package comment has %d lines: say what the package answers, what it does not do, how data enters and leaves", s.path, n)
		}
	}
	for dir, name := range main {
		if !have[dir] {
			t.Errorf("package %s in %s has no package comment: write a doc.go", name, dir)
		}
	}
}

// declared returns the package-level names of the root module: "pkg.Name", and
// "pkg.Type.Member" for methods, fields and the methods of interfaces. Names of packages are unique here.
func declared() map[string]bool {
	known := map[string]bool{}
	members := func(owner string, list *ast.FieldList) {
		for _, f := range list.List {
			for _, n := range f.Names {
				known[owner+"."+n.Name] = true
			}
		}
	}
	for _, s := range sources() {
		if s.isTest() {
			continue
		}
		pkg := s.ast.Name.Name + "."
		for _, d := range s.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d) + "." + name
				}
				known[pkg+name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							known[pkg+n.Name] = true
						}
					case *ast.TypeSpec:
						known[pkg+spec.Name.Name] = true
						switch x := spec.Type.(type) {
						case *ast.StructType:
							members(pkg+spec.Name.Name, x.Fields)
						case *ast.InterfaceType:
							members(pkg+spec.Name.Name, x.Methods)
						}
					}
				}
			}
		}
	}
	return known
}

// receiver returns the name of the receiver type of d.
func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	if p, ok := x.(*ast.StarExpr); ok {
		x = p.X
	}
	switch x := x.(type) {
	case *ast.IndexExpr:
		return x.X.(*ast.Ident).Name
	case *ast.Ident:
		return x.Name
	}
	return ""
}
