package ss_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// helperFiles use only the public API of the package: each could be part of a program. They may use what
// the other helper files declare, and nothing else of the package that is not exported.
var helperFiles = []string{
	"base.go", "timers.go", "body_send.go", "body_collect.go", "gather.go", "messages.go",
	"do.go", "run.go", "reply.go", "router.go", "routed.go", "queue.go",
}

// names are unexported names that source files declare.
type names struct {
	members  map[string]bool // fields and methods of Handle and Runtime
	packages map[string]bool // functions, types, variables and constants of the package
}

func (n *names) add(f *ast.File) {
	member := func(owner, name string) {
		if owner == "Handle" || owner == "Runtime" {
			n.members[name] = true
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				n.packages[d.Name.Name] = true
			} else if star, ok := d.Recv.List[0].Type.(*ast.StarExpr); ok {
				if id, ok := star.X.(*ast.Ident); ok && !d.Name.IsExported() {
					member(id.Name, d.Name.Name)
				}
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						n.packages[id.Name] = true
					}
				case *ast.TypeSpec:
					n.packages[spec.Name.Name] = true
					if s, ok := spec.Type.(*ast.StructType); ok {
						for _, field := range s.Fields.List {
							for _, id := range field.Names {
								if !id.IsExported() {
									member(spec.Name.Name, id.Name)
								}
							}
						}
					}
				}
			}
		}
	}
}

// Helpers use only the public API. The test checks names, not types: it also rejects a helper whose own field or variable
// has the name of a member of Handle or Runtime, or of a declaration of the package.
func TestHelpersUseThePublicAPI(t *testing.T) {
	isHelper := map[string]bool{}
	for _, f := range helperFiles {
		isHelper[f] = true
	}
	set := token.NewFileSet()
	core := names{map[string]bool{}, map[string]bool{}}
	var helpers []*ast.File
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if isHelper[e.Name()] {
			helpers = append(helpers, f)
			delete(isHelper, e.Name())
		} else {
			core.add(f)
		}
	}
	delete(core.packages, "_")
	for f := range isHelper {
		t.Errorf("helperFiles names %s, which does not exist", f)
	}
	for _, f := range helpers {
		selected := map[*ast.Ident]bool{} // names behind a dot, of fields and methods, or in a literal
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				selected[n.Sel] = true
				if !n.Sel.IsExported() && core.members[n.Sel.Name] {
					t.Errorf("%v: %s is a member of Handle or Runtime that is not exported", set.Position(n.Sel.Pos()), n.Sel.Name)
				}
			case *ast.Field:
				for _, id := range n.Names {
					selected[id] = true
				}
			case *ast.FuncDecl:
				selected[n.Name] = true
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok {
					selected[id] = true
				}
			}
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && !selected[id] && !id.IsExported() && core.packages[id.Name] {
				t.Errorf("%v: %s is declared by the package and not exported", set.Position(id.Pos()), id.Name)
			}
			return true
		})
	}
}
