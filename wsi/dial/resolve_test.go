package dial

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

func TestParseHosts(t *testing.T) {
	table := parseHosts([]byte("# comment\n" +
		"127.0.0.1 localhost\n" +
		"10.0.0.2\tdb.example DB   # the database\r\n" +
		"fd00::2 db.example\n" +
		"10.0.0.2 db.example\n" +
		"fe80::1%eth0 zoned\n" +
		"10.0.0.3\n" + // no name
		"not-an-address broken\n" +
		"10.0.0.999 broken\n" +
		"\x00\xff\n" +
		"10.0.0.4 last"))
	for _, c := range []struct{ name, want string }{
		{"localhost", "[127.0.0.1]"},
		{"db.example", "[10.0.0.2 fd00::2]"},
		{"db", "[10.0.0.2]"},
		{"zoned", "[fe80::1%eth0]"},
		{"broken", "[]"},
		{"last", "[10.0.0.4]"},
	} {
		if got := fmt.Sprint(table[c.name]); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if len(table) != 5 {
		t.Errorf("names: got %d, want 5: %v", len(table), table)
	}
}

// hosts is a Hosts for a text on a simulated loop; it counts the reads.
type hosts struct {
	*world
	*Hosts
	text  string
	err   error
	reads int
}

func newHosts(t *testing.T, o sim.Options) *hosts {
	h := &hosts{world: newWorld(t, o)}
	h.Hosts = NewHosts(h.world.loop, func() ([]byte, error) { h.reads++; return []byte(h.text), h.err })
	return h
}

// ask resolves a name and waits at most a second for the answer.
func (h *hosts) ask(name string) string {
	answer := "none"
	h.Resolve(name, func(a []netip.Addr, err error) {
		if answer != "none" {
			h.t.Errorf("%s: second answer", name)
		}
		if answer = fmt.Sprint(a); err != nil {
			answer = err.Error()
		}
	})
	h.pass(time.Second)
	return answer
}

func (h *hosts) want(name, want string, reads int) {
	h.t.Helper()
	if got := h.ask(name); got != want {
		h.t.Errorf("%s: got %s, want %s", name, got, want)
	}
	if h.reads != reads {
		h.t.Errorf("after %s: got %d reads of the file, want %d", name, h.reads, reads)
	}
}

func TestHosts(t *testing.T) {
	h := newHosts(t, sim.Options{OffloadMax: 100 * time.Millisecond})
	h.text = "10.0.0.2 db.example\n6.6.6.6 localhost x.localhost\n"
	h.want("localhost", "[127.0.0.1 ::1]", 0) // not from the file: RFC 6761 s.6.3
	h.want("x.LocalHost.", "[127.0.0.1 ::1]", 0)
	h.want("DB.Example.", "[10.0.0.2]", 1)
	h.want("unknown", "no address for this name", 1)
	h.text = "10.0.0.3 db.example"
	h.want("db.example", "[10.0.0.2]", 1) // cached
	h.pass(hostsFresh)
	h.want("db.example", "[10.0.0.3]", 2)
	h.want("", "no address for this name", 2)
}

func TestHostsFile(t *testing.T) {
	h := newHosts(t, sim.Options{})
	h.err = fmt.Errorf("open: %w", fs.ErrNotExist)
	h.want("db", "no address for this name", 1)
	h = newHosts(t, sim.Options{})
	h.err = errors.New("permission denied")
	h.want("db", "no address for this name: hosts file: permission denied", 1)
	h.want("localhost", "[127.0.0.1 ::1]", 1)
	h.err, h.text = nil, "10.0.0.2 db"
	h.pass(hostsFresh)
	h.want("db", "[10.0.0.2]", 2)
	h = newHosts(t, sim.Options{OffloadFail: 1})
	h.want("db", "no address for this name: hosts file: sim: offload: on host b: "+sim.ErrInjected.Error(), 0)
}

// Concurrent requests share one read, and a canceled request gets no answer.
func TestHostsShareARead(t *testing.T) {
	h := newHosts(t, sim.Options{OffloadMax: time.Second})
	h.text = "10.0.0.2 a b c"
	var got []string
	var cancels []func()
	for _, name := range strings.Fields("a b c") {
		cancels = append(cancels, h.Resolve(name, func(a []netip.Addr, err error) {
			got = append(got, fmt.Sprint(name, a, err))
		}))
	}
	cancels[1]()
	h.pass(2 * time.Second)
	if fmt.Sprint(got) != "[a[10.0.0.2] <nil> c[10.0.0.2] <nil>]" || h.reads != 1 {
		t.Errorf("answers: got %v after %d reads, want a and c after 1", got, h.reads)
	}
}

// A closed loop returns an error at once.
func TestHostsOnClosedLoop(t *testing.T) {
	h := newHosts(t, sim.Options{})
	h.world.loop.Close()
	var got error
	h.Resolve("a", func(_ []netip.Addr, err error) { got = err })
	if !errors.Is(got, ErrNoName) || !errors.Is(got, loop.ErrClosed) {
		t.Errorf("answer: got %v, want no name, since the loop is closed", got)
	}
}
