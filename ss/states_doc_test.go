package ss

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateStates = flag.Bool("update", false, "rewrite docs/states.md from the tables")

const statesPage = "../docs/states.md"

// life is one diagram of the page: the moves that one kind of stream makes.
type life struct {
	title, intro string
	makes        func(m Move) bool
}

// acceptedMoves are those of a stream that came out of a listening socket.
var acceptedMoves = [][2]State{
	{0, Creating}, {Creating, Connecting}, {Creating, Destroying}, {Connecting, Connected},
	{Connecting, Disconnected}, {Connected, Disconnected}, {Connected, Connected}, {Disconnected, Destroying},
}

// acceptedOnly are the moves among them that no client makes.
var acceptedOnly = [][2]State{{Connecting, Disconnected}, {Connected, Connected}}

func among(m Move, list [][2]State) bool {
	for _, p := range list {
		if p == [2]State{m.From, m.To} {
			return true
		}
	}
	return false
}

var lives = []life{
	{"A client stream", "It lasts as long as the program wants, through any number of connections. Each HTTP transaction is one way\n" +
		"from CONNECTING to DISCONNECTED, whether the connection below was made for it or was still warm.",
		func(m Move) bool { return !among(m, acceptedOnly) }},
	{"An accepted stream", "It is one connection and ends with it. CONNECTED comes with the connection on raw, with the first request on\n" +
		"HTTP; each request is then a SERVER_TXN event, and the stream stays CONNECTED between them.",
		func(m Move) bool { return among(m, acceptedMoves) }},
	{"A server stream", "It owns the listening socket and carries no payload. Destroying it destroys what it has accepted.",
		func(m Move) bool {
			return among(m, [][2]State{{0, Creating}, {Creating, Destroying}})
		}},
}

// TestStatesPage holds docs/states.md to the tables of table.go and the comments of state.go. With
// -update it writes the page.
func TestStatesPage(t *testing.T) {
	want := renderStates(t)
	if *updateStates {
		if err := os.WriteFile(statesPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(statesPage)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			t.Fatalf("%s:%d is stale: go test ./ss -run TestStatesPage -update\n got %q\nwant %q", statesPage, i+1, append(g, "(end)")[min(i, len(g))], w[i])
		}
	}
	t.Fatalf("%s has lines behind its end: go test ./ss -run TestStatesPage -update", statesPage)
}

// TestLivesAreComplete: every row of the table is in a diagram, and every move of a diagram in the table.
func TestLivesAreComplete(t *testing.T) {
	rows := map[[2]State]bool{}
	for _, m := range Transitions() {
		rows[[2]State{m.From, m.To}] = true
		drawn := false
		for _, l := range lives {
			drawn = drawn || l.makes(m)
		}
		if !drawn {
			t.Errorf("%v to %v is in no diagram", m.From, m.To)
		}
	}
	for _, p := range append(acceptedMoves, acceptedOnly...) {
		if !rows[p] {
			t.Errorf("a diagram has %v to %v, which is not in the table", p[0], p[1])
		}
	}
}

func short(s State) string {
	if s == 0 {
		return "[*]"
	}
	return strings.TrimPrefix(s.String(), "LWSSSCS_")
}

func renderStates(t *testing.T) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	says, told := sentences(t), toldStates(t)
	p("<!-- Written by go test ./ss -run TestStatesPage -update; edit ss/table.go and ss/state.go. -->\n\n# The states of a stream\n\n")
	p("A stream is told two kinds of things through `State`. **Moves** are the steps of its life: each is legal only after\n" +
		"certain others. **Events** happen during a life and change nothing in it: what may follow a TIMEOUT is what could\n" +
		"have followed before it. The names are short here; in logs they begin with `LWSSSCS_`. Names and numbers are the\n" +
		"reference's, and each sequence shown is also legal in the reference's own table, where the two kinds are one.\n\n")
	p("The numbers on the arrows are those of the table of moves below.\n")
	for _, l := range lives {
		p("\n## %s\n\n%s\n\n```mermaid\nstateDiagram-v2\n", l.title, l.intro)
		for i, m := range moves {
			if l.makes(m) {
				p("    %s --> %s: %d\n", short(m.From), short(m.To), i+1)
			}
		}
		if l.makes(Move{From: Creating, To: Destroying}) {
			p("    DESTROYING --> [*]\n")
		}
		p("```\n")
	}
	p("\n## Moves\n\n| # | from | to | when |\n|---|---|---|---|\n")
	for i, m := range moves {
		from := short(m.From)
		if m.From == 0 {
			from = "(nothing)"
		}
		p("| %d | %s | %s | %s |\n", i+1, from, short(m.To), m.Why)
	}
	p("\n## What each means\n\n*now* says whether a stream of this release can be told it; the others keep their place and number.\n\n" +
		"| number | name | kind | now | meaning |\n|---|---|---|---|---|\n")
	for s := Creating; s < maxState; s++ {
		kind, now := "event", "no"
		if isMove.has(s) {
			kind = "move"
		}
		if told[s] {
			now = "yes"
		}
		p("| %d | %s | %s | %s | %s |\n", s, short(s), kind, now, says[s])
	}
	p("| %d and up | the program's own | event | yes | a response whose status `http_resp_map` names |\n", UserBase)
	p("\n## Where events may be told\n\n| event | while the last move was |\n|---|---|\n")
	for s := Creating; s < maxState; s++ {
		var at []string
		for o := Creating; o < maxState; o++ {
			if eventAt[s].has(o) {
				at = append(at, short(o))
			}
		}
		if len(at) > 0 {
			p("| %s | %s |\n", short(s), strings.Join(at, ", "))
		}
	}
	p("\nA state or event that the tables do not allow is a bug of Millrace's. It is not told; it is logged and counted\n" +
		"(`ss.Counters.Illegal`), and with `ss.Config.PanicOnIllegal`, which tests set, it is a panic.\n")
	return b.Bytes()
}

// sentences are the comments on the State constants, which are the page's words for them.
func sentences(t *testing.T) map[State]string {
	f, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	byName := stateIdents()
	says := map[State]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Names) == 1 && v.Comment != nil {
			if s, ok := byName[v.Names[0].Name]; ok {
				says[s] = strings.TrimPrefix(strings.TrimSpace(v.Comment.Text()), "event: ")
			}
		}
		return true
	})
	for s := Creating; s < maxState; s++ {
		if says[s] == "" {
			t.Errorf("%v has no comment on its line in state.go", s)
		}
	}
	return says
}

// toldStates are the states that the package's own code hands to tell.
func toldStates(t *testing.T) map[State]bool {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	byName := stateIdents()
	told := map[State]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "tell" {
				if id, ok := call.Args[0].(*ast.Ident); ok {
					if s, ok := byName[id.Name]; ok {
						told[s] = true
					}
				}
			}
			return true
		})
	}
	return told
}

// stateIdents maps the names of the constants in Go to their values.
func stateIdents() map[string]State {
	return map[string]State{
		"Creating": Creating, "Disconnected": Disconnected, "Unreachable": Unreachable, "AuthFailed": AuthFailed,
		"Connected": Connected, "Connecting": Connecting, "Destroying": Destroying, "Poll": Poll,
		"AllRetriesFailed": AllRetriesFailed, "QOSAckRemote": QOSAckRemote, "QOSNackRemote": QOSNackRemote,
		"QOSAckLocal": QOSAckLocal, "QOSNackLocal": QOSNackLocal, "Timeout": Timeout, "ServerTxn": ServerTxn,
		"ServerUpgrade": ServerUpgrade, "EventWaitCancel": EventWaitCancel, "UpstreamLinkRetry": UpstreamLinkRetry,
		"SinkJoin": SinkJoin, "SinkPart": SinkPart,
	}
}
