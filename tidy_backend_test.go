package millrace

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// backendFile is the only file of ss that may assert the type of a backend: for its optional interfaces.
const backendFile = "ss/backend.go"

// backendTypes are the concrete backends of streams, and the bindings of client streams: the types of ss that have a
// method describe, which every one of them needs.
func backendTypes(list []source) map[string]bool {
	types := map[string]bool{}
	for _, s := range list {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "describe" {
				continue
			}
			types[typeName(f.Recv.List[0].Type)] = true
		}
	}
	return types
}

// typeName returns the name of a type or of its element type, "" if it has none.
func typeName(e ast.Expr) string {
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// assertions finds the type assertions and type switches of s on a handle's backend, on a binding, or to one of types.
func assertions(s source, types map[string]bool) (found []token.Pos) {
	asked := func(e ast.Expr) bool {
		sel, ok := e.(*ast.SelectorExpr)
		return ok && (sel.Sel.Name == "be" || sel.Sel.Name == "carrier" || sel.Sel.Name == "binding")
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeAssertExpr:
			if asked(n.X) || n.Type != nil && types[typeName(n.Type)] {
				found = append(found, n.Pos())
			}
		case *ast.TypeSwitchStmt:
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					if types[typeName(e)] {
						found = append(found, e.Pos())
					}
				}
			}
		}
		return true
	})
	return found
}

// TestBackendsAreNotAsked checks that no Handle depends on the type of its backend: it would fail with another backend.
func TestBackendsAreNotAsked(t *testing.T) {
	var list []source
	for _, s := range sources() {
		if s.dir() == "ss" && !s.isTest() {
			list = append(list, s)
		}
	}
	types := backendTypes(list)
	if len(types) < 5 {
		t.Fatalf("got %d backends in ss (%v), want at least 5: this test looks for the wrong method", len(types), types)
	}
	for _, s := range list {
		found := assertions(s, types)
		if s.path == backendFile {
			if len(found) != 1 {
				t.Errorf("%s: got %d type assertions on backends, want 1: the optional interfaces are found in one function", s.path, len(found))
			}
			continue
		}
		for _, p := range found {
			t.Errorf("%s: a type assertion on a backend: add a method to the interface in %s, with a default", s.at(p), backendFile)
		}
	}
}

// TestAssertions checks the rule itself: it finds all assertions, and nothing else.
func TestAssertions(t *testing.T) {
	const text = `package ss
type lane struct{}
func (l *lane) describe() string { return "" }
func f(h *Handle, x any) {
	_ = h.be.(interface{ a() })
	switch h.be.(type) {
	}
	_, _ = x.(*lane)
	switch x.(type) {
	case error, *lane:
	}
	_ = x.(fmt.Stringer)
	h.be.describe()
}`
	s := source{file: file{"ss/x.go", []byte(text)}, set: token.NewFileSet()}
	var err error
	if s.ast, err = parser.ParseFile(s.set, s.path, s.text, 0); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range assertions(s, backendTypes([]source{s})) {
		lines = append(lines, s.at(p))
	}
	if got, want := strings.Join(lines, " "), "ss/x.go:5 ss/x.go:6 ss/x.go:8 ss/x.go:10"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
