package ss

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

var updateStates = flag.Bool("update", false, "rewrite docs/states.md from the tables")

const statesPage = "../docs/states.md"

// Life is one diagram of the page: the moves that one kind of stream makes.
type Life struct {
	Title, Intro string
	Makes        func(m Move) bool
}

// acceptedMoves are those of a stream that came out of a listening socket.
var acceptedMoves = [][2]State{
	{0, Creating}, {Creating, Connecting}, {Creating, Destroying}, {Connecting, Connected}, {Connecting, Disconnected},
	{Connected, Disconnected}, {Connected, Connected}, {Disconnected, Connecting}, {Disconnected, Destroying},
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

// Lives are the diagrams: of clients, of accepted streams, of servers.
var Lives = []Life{
	{"A client stream", "It lasts as long as the program wants, through any number of connections. Each HTTP transaction is one way\n" +
		"from CONNECTING to DISCONNECTED, whether the connection below was made for it or was still warm.",
		func(m Move) bool { return !among(m, acceptedOnly) }},
	{"An accepted stream", "It is one connection and ends with it. CONNECTED comes with the connection on raw, with the first request on\n" +
		"HTTP; each request is then a SERVER_TXN event, and the stream stays CONNECTED between them. One that becomes a\n" +
		"WebSocket is CONNECTED, then told SERVER_UPGRADE. If it has answered requests before, it is told DISCONNECTED,\n" +
		"CONNECTING and CONNECTED first.",
		func(m Move) bool { return among(m, acceptedMoves) }},
	{"A server stream", "It owns the listening socket and carries no payload. Destroying it destroys what it has accepted.",
		func(m Move) bool {
			return among(m, [][2]State{{0, Creating}, {Creating, Destroying}})
		}},
}

// Untold are the states and events that no stream of this release is told, and why not. TestStatesTold proves that
// they are not, and that all others are.
var Untold = map[State]string{
	AuthFailed:        "`use_auth` is not acted on yet",
	QOSAckLocal:       "there is no proxy yet",
	QOSNackLocal:      "there is no proxy yet",
	UpstreamLinkRetry: "there is no proxy yet",
	SinkJoin:          "`local_sink` is not acted on",
	SinkPart:          "`local_sink` is not acted on",
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
		for _, l := range Lives {
			drawn = drawn || l.Makes(m)
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
	says := sentences(t)
	p("<!-- Written by go test ./ss -run TestStatesPage -update; edit ss/table.go and ss/state.go. -->\n\n# The states of a stream\n\n")
	p("A stream is told two kinds of things through `State`. **Moves** are the steps of its life: each is legal only after\n" +
		"certain others. **Events** happen during a life and change nothing in it: what may follow a TIMEOUT is what could\n" +
		"have followed before it. The names are short here; in logs they begin with `LWSSSCS_`. Names and numbers are the\n" +
		"reference's, and each sequence shown is also legal in the reference's own table, where the two kinds are one.\n\n")
	p("The numbers on the arrows are those of the table of moves below.\n")
	for _, l := range Lives {
		p("\n## %s\n\n%s\n\n```mermaid\nstateDiagram-v2\n", l.Title, l.Intro)
		for i, m := range moves {
			if l.Makes(m) {
				p("    %s --> %s: %d\n", short(m.From), short(m.To), i+1)
			}
		}
		if l.Makes(Move{From: Creating, To: Destroying}) {
			p("    DESTROYING --> [*]\n")
		}
		p("```\n")
	}
	p("\n## Moves\n\n*told* says whether a stream of this release makes the move.\n\n| # | from | to | when | told |\n|---|---|---|---|---|\n")
	for i, m := range moves {
		from := short(m.From)
		if m.From == 0 {
			from = "(nothing)"
		}
		told := isTold(m.To)
		if Untold[m.From] != "" {
			told = isTold(m.From)
		}
		p("| %d | %s | %s | %s | %s |\n", i+1, from, short(m.To), m.Why, told)
	}
	p("\n## What each means\n\n*told* says whether a stream of this release can be told it; the others keep their place and number.\n\n" +
		"| number | name | kind | meaning | told |\n|---|---|---|---|---|\n")
	for s := Creating; s < maxState; s++ {
		kind := "event"
		if isMove.has(s) {
			kind = "move"
		}
		p("| %d | %s | %s | %s | %s |\n", s, short(s), kind, says[s], isTold(s))
	}
	p("| %d and up | the program's own | event | a response whose status `http_resp_map` names | yes |\n", UserBase)
	p("| %d | %s | event | the client of an accepted HTTP stream has ended its direction before it was answered; a user state to the reference | yes |\n", PeerEnded, PeerEnded)
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

// isTold is what the page says of a state.
func isTold(s State) string {
	if why := Untold[s]; why != "" {
		return "no: " + why
	}
	return "yes"
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
