package millrace

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// layerAssertions are the type assertions on layers that are allowed, by file and type, with the reason.
var layerAssertions = map[string]string{
	"wsi/wsi.go *Wsi": "wsi.Under: Info has handed the connection up through the layers as a roles.Conn, and its own package names the type again",
}

// A layer asks what is below it by roles.Lower's Info, and not by the type of its Lower or Upper: with another layer in
// between, such an assertion fails, or finds the wrong one. The optional interfaces of package roles are for asking an
// Upper what it can do.
func TestNoAssertionsOnLayers(t *testing.T) {
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, p := range typedPackages(t) {
		layers := layersOf(p.pkg)
		if layers == nil {
			continue // it does not know package roles
		}
		check := func(x, typ ast.Expr) {
			at := p.set.Position(x.Pos())
			path, _ := filepath.Rel(root, at.Filename)
			name := types.ExprString(typ)
			key := filepath.ToSlash(path) + " " + name
			if !isLayer(p.info.TypeOf(x), layers) || name == "nil" || inRoles(p.info.TypeOf(typ)) {
				return
			}
			if used[key] = true; layerAssertions[key] == "" {
				t.Errorf("%s:%d: %s.(%s): ask roles.Lower.Info, or add a method to roles.Lower, or an optional interface to package roles", path, at.Line, types.ExprString(x), name)
			}
		}
		for _, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.TypeAssertExpr:
					if n.Type != nil {
						check(n.X, n.Type)
					}
				case *ast.TypeSwitchStmt:
					var x ast.Expr
					ast.Inspect(n.Assign, func(m ast.Node) bool {
						if a, ok := m.(*ast.TypeAssertExpr); ok && a.Type == nil {
							x = a.X
						}
						return x == nil
					})
					for _, c := range n.Body.List {
						for _, typ := range c.(*ast.CaseClause).List {
							check(x, typ)
						}
					}
				}
				return true
			})
		}
	}
	for key := range layerAssertions {
		if !used[key] {
			t.Errorf("layerAssertions has %q, which is not in the code any more: remove it", key)
		}
	}
}

const rolesPath = module + "/roles"

// layersOf returns the interfaces of layers as pkg imports them; nil if it does not.
func layersOf(pkg *types.Package) (list []*types.Interface) {
	for _, i := range append(pkg.Imports(), pkg) {
		if i.Path() != rolesPath {
			continue
		}
		for _, name := range []string{"Lower", "Upper", "Conn", "TLS"} {
			list = append(list, i.Scope().Lookup(name).Type().Underlying().(*types.Interface))
		}
	}
	return list
}

// isLayer reports whether a value of type t is a layer.
func isLayer(t types.Type, layers []*types.Interface) bool {
	for _, l := range layers {
		if types.Implements(t, l) {
			return true
		}
	}
	return false
}

// inRoles reports whether t is declared in package roles.
func inRoles(t types.Type) bool {
	n, ok := t.(*types.Named)
	return ok && n.Obj().Pkg() != nil && strings.TrimSuffix(n.Obj().Pkg().Path(), "_test") == rolesPath
}
