package h2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// outcome is the result of a connection: the handlers' calls, and the verdict that it sent.
type outcome struct{ calls, verdict string }

// fuzzed runs a connection on b whole, octet by octet and in pieces, and compares. The transport takes no output
// during that, so that the calls do not depend on when an answer leaves.
func fuzzed(t *testing.T, b []byte, seed uint64, run func(feed func(func([]byte))) outcome) {
	t.Helper()
	whole := run(func(f func([]byte)) { f(bytes.Clone(b)) })
	for how, feed := range map[string]func(func([]byte)){
		"octet by octet": func(f func([]byte)) {
			for i := range b {
				f(b[i : i+1])
			}
		},
		"pieces": func(f func([]byte)) { rolestest.Pieces(seed, b, f) },
	} {
		if got := run(feed); got != whole {
			t.Fatalf("%s:\n%+v\nwhole:\n%+v\nbytes: %q", how, got, whole, b)
		}
	}
}

// apart sorts a log by exchange. The order between exchanges depends on the split of the input: Done waits for the
// end of the transport's call.
func apart(log string) string {
	lines := slices.Collect(strings.Lines(log))
	slices.SortStableFunc(lines, func(a, b string) int {
		who, _, _ := strings.Cut(a, ":")
		other, _, _ := strings.Cut(b, ":")
		return strings.Compare(who, other)
	})
	return strings.Join(lines, "")
}

func FuzzServer(f *testing.F) {
	for _, c := range serverFaults {
		f.Add([]byte(c.in), uint64(1))
	}
	f.Add([]byte(getReq(1)+postReq(3)+data(3, endS, "abc")+getReq(5)), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		fuzzed(t, b, seed, func(feed func(func([]byte))) outcome {
			v := ready(t, DefaultConfig())
			v.setup = func(n int, r *recorder) {
				r.head.Status = 0
				if n%3 == 0 {
					r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
				}
			}
			v.l.Refuse = true
			feed(v.l.Feed)
			v.l.Refuse = false
			v.l.Service()
			out := v.out(t)
			v.over(t)
			return outcome{apart(joined(v.log.String())), verdict(out)}
		})
	})
}

func FuzzClient(f *testing.F) {
	for _, c := range clientFaults {
		f.Add([]byte(c.in), uint64(1))
	}
	const ok = "\x00\x00\r\x01\x05\x00\x00\x00%c\x10\a:status\x03200"
	f.Add(fmt.Appendf(nil, ok+ok, 3, 1), uint64(54)) // two exchanges that end in one read
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		fuzzed(t, b, seed, func(feed func(func([]byte))) outcome {
			v := dial(t, DefaultConfig())
			v.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.stuck = true })
			v.ask(t, get("/"), "")
			v.ask(t, get("/"), "", func(r *recorder) {
				r.onHead = func(x http.Exchange, _ *http.Message) { x.Pause() }
			})
			v.out(t)
			v.l.Refuse = true
			feed(v.l.Feed)
			v.l.Refuse = false
			v.l.Service()
			out := v.out(t)
			v.over(t)
			return outcome{apart(joined(v.log.String())), verdict(out)}
		})
	})
}

// FuzzPair runs a client and a server on a schedule that the seed determines.
func FuzzPair(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint16(50*seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { run(t, seed, int(steps%2000)) })
}
