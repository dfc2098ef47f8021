package millrace

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// valueConfigs lists the packages whose Config is a value: the constructor of their shared state copies it into a field
// named cfg, and nothing changes it afterwards.
var valueConfigs = []string{"roles/h1", "roles/h2", "roles/ws"}

// configChanges returns the places of s where a Config can be changed after it was given: a pointer to Config, an
// assignment to a field named cfg or to something inside it, and an address of such a field. The address of a part that
// is assigned to a local variable of another name is not followed.
func configChanges(s source) (found []use) {
	inCfg := func(e ast.Expr) bool {
		for {
			switch x := e.(type) {
			case *ast.SelectorExpr:
				if x.Sel.Name == "cfg" {
					return true
				}
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			default:
				return false
			}
		}
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			if id, ok := n.X.(*ast.Ident); ok && id.Name == "Config" {
				found = append(found, use{n.Pos(), "*Config", "pass a Config by value"})
			}
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				if inCfg(e) {
					found = append(found, use{e.Pos(), "assignment", "keep what changes beside the Config"})
				}
			}
		case *ast.IncDecStmt:
			if inCfg(n.X) {
				found = append(found, use{n.X.Pos(), "assignment", "keep what changes beside the Config"})
			}
		case *ast.UnaryExpr:
			if x, ok := n.X.(*ast.SelectorExpr); ok && n.Op == token.AND && x.Sel.Name == "cfg" {
				found = append(found, use{n.Pos(), "address", "copy the Config"})
			}
		}
		return true
	})
	return found
}

func TestConfigsAreValues(t *testing.T) {
	have := map[string]bool{}
	for _, s := range sources() {
		if s.isTest() || !slices.Contains(valueConfigs, s.dir()) {
			continue
		}
		have[s.dir()] = true
		for _, u := range configChanges(s) {
			t.Errorf("%s: %s of a Config: %s", s.at(u.pos), u.what, u.instead)
		}
	}
	for _, dir := range valueConfigs {
		if !have[dir] {
			t.Errorf("no package in %s: remove it from valueConfigs", dir)
		}
	}
}

// TestConfigChanges checks the rule itself on a file that breaks it in every way.
func TestConfigChanges(t *testing.T) {
	const text = `package x
func New(c Config) *Shared { c.Limit = 1; return &Shared{cfg: c} }
func (s *Shared) f(c *Config) {
	s.cfg.Limit = 2
	s.cfg = Config{}
	s.cfg.List[0].N++
	(s.cfg).Limit, s.n = 1, 2
	p := &s.cfg
	l := &s.cfg.Limits
	_, _ = p, l
	s.n = s.cfg.Limit
}`
	s := source{file: file{path: "x.go"}, set: token.NewFileSet()}
	var err error
	if s.ast, err = parser.ParseFile(s.set, s.path, text, 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range configChanges(s) {
		got = append(got, s.at(u.pos)+" "+u.what)
	}
	want := []string{"x.go:3 *Config", "x.go:4 assignment", "x.go:5 assignment", "x.go:6 assignment", "x.go:7 assignment", "x.go:8 address"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
