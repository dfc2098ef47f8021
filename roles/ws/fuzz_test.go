package ws

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// outcome is the result of a connection: the calls of the Handler, the output, and the cause of the end.
type outcome struct{ calls, out, cause string }

// fuzzed feeds b to one end, whole and in pieces. For any octets the transport stores at most a header and a control frame,
// no memory is charged at the end, and the result does not depend on the pieces.
func fuzzed(t *testing.T, client bool, b []byte, seed uint64) {
	t.Helper()
	a := packed()
	a.Params.ServerFresh, a.Params.ClientFresh = seed&1 == 0, seed&1 == 0
	run := func(how string, feed func(func([]byte))) outcome {
		var acc account
		sh := acc.shared(newConfig())
		h := &recorder{}
		_, l := open(sh, client, a, h)
		feed(feeder(l))
		if l.Misuse != "" {
			t.Fatalf("%s: %s\nbytes: %q", how, l.Misuse, b)
		}
		if n := len(l.Unused()); !l.Over && n > maxHeader+maxControl {
			t.Fatalf("%s: got %d octets stored\nbytes: %q", how, n, b)
		}
		if l.Over != (h.closed == 1) {
			t.Fatalf("%s: over %v, closed %d times\nbytes: %q", how, l.Over, h.closed, b)
		}
		l.Break(nil)
		if acc.held != 0 {
			t.Fatalf("%s: got %d octets charged at the end\nbytes: %q", how, acc.held, b)
		}
		return outcome{h.String(), string(l.Out), errText(l.Cause)}
	}
	whole := run("whole", func(f func([]byte)) { f(bytes.Clone(b)) })
	for how, feed := range map[string]func(func([]byte)){
		"byte by byte": func(f func([]byte)) {
			for i := range b {
				f(b[i : i+1])
			}
		},
		"pieces": func(f func([]byte)) { rolestest.Pieces(seed, b, f) },
	} {
		if got := run(how, feed); got != whole {
			t.Fatalf("%s:\n%+v\nwhole:\n%+v\nbytes: %q", how, got, whole, b)
		}
	}
}

// seedFrames adds the rows of the tables to the corpus.
func seedFrames(f *testing.F, client bool) {
	for _, list := range [][]rule{rules, deflateRules()} {
		for _, r := range list {
			f.Add(bytesOf(client, r.in), uint64(1))
		}
	}
	f.Add(bytesOf(client, []part{{rsvText, deflated(prose(2000), "")}, {rsvText, deflated(prose(100), prose(2000))}}), uint64(1))
}

func FuzzServer(f *testing.F) {
	seedFrames(f, false)
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) { fuzzed(t, false, b, seed) })
}

func FuzzClient(f *testing.F) {
	seedFrames(f, true)
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) { fuzzed(t, true, b, seed) })
}
