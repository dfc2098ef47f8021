package millrace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Inside a package, uses run one way: a file uses files below it. TestArrows draws an
// arrow from file A to file B if A names a function, a method, a type, a constant or a variable of B (an embedded or a
// selected field does not count), orders the files so that as few arrows as possible run from a lower file to a
// higher one, and counts those.

// arrowsBack is the percentage of a package's arrows that may run back up.
const arrowsBack = 20

// arrowsFew is the number of back-running arrows that any package may have: in a package of three files one arrow
// would be a third.
const arrowsFew = 2

// arrowsAbove lists the packages above the limit, with their present number of arrows that run back up: a number
// may fall, and a package below the limit leaves the list.
var arrowsAbove = map[string]int{}

// mutualLimit is, per package in which two files may use each other only if the header of one of them explains it, the
// present number of pairs without an explanation. The explanation is a line of its own in the header of one of the files:
//
//	// Uses name.go back: the reason.
var mutualLimit = map[string]int{"ss": 1}

// arrow is a use of file To by file From; names are some of the names that are used.
type arrow struct {
	from, to string
	names    []string
}

func TestArrows(t *testing.T) {
	for _, p := range typedPackages(t) {
		t.Run(strings.TrimPrefix(p.path, module+"/"), func(t *testing.T) {
			arrows := p.arrows()
			order := orderFiles(arrows)
			rank := make(map[string]int)
			for i, f := range order {
				rank[f] = i
			}
			back := slices.DeleteFunc(slices.Clone(arrows), func(a arrow) bool { return rank[a.from] < rank[a.to] })
			share := 0
			if len(arrows) > 0 {
				share = 100 * len(back) / len(arrows)
			}
			t.Logf("%d arrows, %d run back up (%d %%); from the top: %s", len(arrows), len(back), share, strings.Join(order, " "))
			for _, a := range back {
				t.Logf("back: %s uses %s: %s", a.from, a.to, strings.Join(a.names, ", "))
			}
			name := strings.TrimPrefix(p.path, module+"/")
			if most, ok := mutualLimit[name]; ok {
				silent := p.mutual(arrows, rank)
				if len(silent) > most {
					t.Errorf("%d pairs of files use each other and no header says why, more than %d:\n%s", len(silent), most, strings.Join(silent, "\n"))
				} else if len(silent) < most {
					t.Errorf("%d pairs of files use each other and no header says why: lower mutualLimit, which says %d", len(silent), most)
				}
			}
			above := len(back) > arrowsFew && 100*len(back) > arrowsBack*len(arrows)
			if most := arrowsAbove[name]; most > 0 {
				if !above {
					t.Errorf("the package is below the limit: take it out of arrowsAbove")
				} else if len(back) > most {
					t.Errorf("%d arrows run back up, more than the %d of arrowsAbove", len(back), most)
				}
			} else if above {
				t.Errorf("%d of %d arrows run back up, more than %d %%: find the subject that two files share and move it below both (-v lists the arrows)",
					len(back), len(arrows), arrowsBack)
			}
		})
	}
}

// typedPackage is a package of the root module, type-checked.
type typedPackage struct {
	path  string
	set   *token.FileSet
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
}

// typedPackages type-checks every package of the root module, against the export data that the go command has built.
func typedPackages(t *testing.T) (list []typedPackage) {
	t.Helper()
	out, err := command(".", "go", "list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export", "./...")
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	exports := make(map[string]string)
	var ours []entry
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var e entry
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		exports[e.ImportPath] = e.Export
		if _, ok := inHouse(e.ImportPath); ok && len(e.GoFiles) > 1 {
			ours = append(ours, e)
		}
	}
	set := token.NewFileSet()
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, e := range ours {
		p := typedPackage{path: e.ImportPath, set: set, info: &types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue)}}
		for _, name := range e.GoFiles {
			f, err := parser.ParseFile(set, filepath.Join(e.Dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, f)
		}
		conf := types.Config{Importer: imports}
		if p.pkg, err = conf.Check(e.ImportPath, set, p.files, p.info); err != nil {
			t.Fatalf("%s does not type-check: %v", e.ImportPath, err)
		}
		list = append(list, p)
	}
	if len(list) < 8 {
		t.Fatalf("%d packages of more than one file: this test looks in the wrong place", len(list))
	}
	return list
}

// file returns the base name of the file that holds pos.
func (p typedPackage) file(pos token.Pos) string { return filepath.Base(p.set.Position(pos).Filename) }

// arrows returns the uses between the files of p, in the order of their names.
func (p typedPackage) arrows() (list []arrow) {
	names := make(map[[2]string]map[string]bool)
	for id, o := range p.info.Uses {
		if o.Pkg() != p.pkg || !shared(o, p.pkg) {
			continue
		}
		pair := [2]string{p.file(id.Pos()), p.file(o.Pos())}
		if pair[0] == pair[1] {
			continue
		}
		if names[pair] == nil {
			names[pair] = make(map[string]bool)
		}
		names[pair][o.Name()] = true
	}
	for pair, set := range names {
		list = append(list, arrow{pair[0], pair[1], slices.Sorted(maps.Keys(set))})
	}
	slices.SortFunc(list, func(a, b arrow) int { return strings.Compare(a.from+" "+a.to, b.from+" "+b.to) })
	return list
}

// mutual returns the pairs of files that use each other, the lower one first, unless the header of one of them has a
// line "Uses other.go back: reason".
func (p typedPackage) mutual(arrows []arrow, rank map[string]int) (silent []string) {
	uses := make(map[[2]string]arrow)
	for _, a := range arrows {
		uses[[2]string{a.from, a.to}] = a
	}
	for _, a := range arrows {
		if _, both := uses[[2]string{a.to, a.from}]; both && rank[a.from] > rank[a.to] && !p.explains(a.from, a.to) && !p.explains(a.to, a.from) {
			silent = append(silent, fmt.Sprintf("%s uses %s back: %s", a.from, a.to, strings.Join(a.names, ", ")))
		}
	}
	return silent
}

// explains reports whether a comment in the header of file, before its first declaration other than imports, explains
// its use of the other file.
func (p typedPackage) explains(file, other string) bool {
	for _, f := range p.files {
		if p.file(f.Pos()) != file {
			continue
		}
		for _, g := range f.Comments {
			for _, d := range f.Decls {
				if gen, ok := d.(*ast.GenDecl); (!ok || gen.Tok != token.IMPORT) && g.Pos() > d.Pos() {
					return false
				}
			}
			for line := range strings.Lines(g.Text()) {
				if why, ok := strings.CutPrefix(line, "Uses "+other+" back: "); ok && len(why) > 20 {
					return true
				}
			}
		}
	}
	return false
}

// shared reports whether o belongs to its package and not to a function or a struct.
func shared(o types.Object, pkg *types.Package) bool {
	f, ok := o.(*types.Func)
	return ok && f.Signature().Recv() != nil || o.Parent() == pkg.Scope()
}

// orderFiles returns the files from the top down, in an order in which few arrows run back up: it moves one file at a
// time to its best place for as long as that helps. The result depends on the arrows alone.
func orderFiles(arrows []arrow) []string {
	set := make(map[string]bool)
	for _, a := range arrows {
		set[a.from], set[a.to] = true, true
	}
	order := slices.Sorted(maps.Keys(set))
	uses := make(map[[2]string]int)
	for _, a := range arrows {
		uses[[2]string{a.from, a.to}] = 1
	}
	// Files that use many and are used by few come first.
	weight := func(f string) (n int) {
		for _, a := range arrows {
			switch f {
			case a.from:
				n--
			case a.to:
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(order, func(a, b string) int { return weight(a) - weight(b) })
	for better := true; better; {
		better = false
		for _, f := range slices.Clone(order) {
			at := slices.Index(order, f)
			rest := slices.Delete(slices.Clone(order), at, at+1)
			// cost is the number of arrows of f that run back up when f comes before rest[i].
			cost := 0
			for _, g := range rest {
				cost += uses[[2]string{g, f}] // f on top: all that use f are below it
			}
			best, least, now := 0, cost, 0
			for i := range len(rest) + 1 {
				if i == at {
					now = cost
				}
				if cost < least {
					best, least = i, cost
				}
				if i < len(rest) {
					cost += uses[[2]string{f, rest[i]}] - uses[[2]string{rest[i], f}]
				}
			}
			if least < now {
				order, better = slices.Insert(rest, best, f), true
			}
		}
	}
	return order
}

func TestOrderFiles(t *testing.T) {
	a := func(from, to string) arrow { return arrow{from: from, to: to} }
	for _, c := range []struct {
		arrows []arrow
		want   string
	}{
		{[]arrow{a("a", "b"), a("b", "c"), a("a", "c")}, "a b c"},
		{[]arrow{a("c", "b"), a("b", "a"), a("c", "a")}, "c b a"},
		{[]arrow{a("a", "z"), a("b", "z"), a("c", "z"), a("z", "y"), a("y", "b"), a("c", "a")}, "c a z y b"}, // one must run back: y to b, or b to z
	} {
		got := orderFiles(c.arrows)
		back := 0
		for _, x := range c.arrows {
			if slices.Index(got, x.from) > slices.Index(got, x.to) {
				back++
			}
		}
		want := 0
		if len(c.arrows) == 6 {
			want = 1
		}
		if back != want {
			t.Errorf("orderFiles(%v): got %v with %d arrows back, want %d as in %s", fmt.Sprint(c.arrows), got, back, want, c.want)
		}
	}
}
