package ss_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// The two machines of a world. Policies of stories name them by these addresses.
var (
	clientIP = netip.MustParseAddr("10.0.0.1")
	serverIP = netip.MustParseAddr("10.0.0.2")
)

// plan says what a world is like. The zero plan is a perfect network.
type plan struct {
	seed   uint64
	net    sim.Options
	client func(*ss.Config)
	server func(*ss.Config)
	loop   loop.Config
	single bool                                 // one machine with both addresses, one loop, one runtime
	told   func(h *ss.Handle, life, s ss.State) // sees each state, with the last move before it
}

// world is a network with a client and a server machine, a runtime on each, and a record of all that
// streams were told. When the test ends it closes both runtimes and looks whether anything is left.
type world struct {
	t        testing.TB
	net      *sim.Network
	cli, srv *machine
	third    *sim.Host // of peers without a reactor; nil while there are none
	lives    map[*ss.Handle]*life
	accepted []*script // streams that servers made, in order
	failed   bool
	told     func(h *ss.Handle, life, s ss.State) // plan's
	patience time.Duration                        // for everything to be released at the end
}

// machine is one end of a world.
type machine struct {
	host *sim.Host
	loop *loop.Loop
	rt   *ss.Runtime
}

// life follows one handle through both tables.
type life struct {
	life, last ss.State
	told       []string
	over       bool
}

func newWorld(t testing.TB, doc string, p plan) *world {
	t.Helper()
	pol, err := policy.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("policy: %v", err)
	}
	runtime.LockOSThread() // for CheckThread; until the test's goroutine ends, as many as it makes worlds
	w := &world{t: t, net: sim.New(p.seed, p.net), lives: make(map[*ss.Handle]*life), told: p.told, patience: 15 * time.Second}
	if p.single {
		w.cli = w.machine("both", pol, p.loop, p.client, clientIP, serverIP)
		w.srv = w.cli
	} else {
		w.cli = w.machine("client", pol, p.loop, p.client, clientIP)
		w.srv = w.machine("server", pol, p.loop, p.server, serverIP)
	}
	t.Cleanup(w.end)
	return w
}

func (w *world) machine(name string, pol *policy.Policy, lc loop.Config, change func(*ss.Config), ips ...netip.Addr) *machine {
	m := &machine{host: w.net.Host(name, ips...)}
	m.loop = loop.New(m.host, lc)
	c := ss.Config{Loop: m.loop, Policy: pol, PanicOnIllegal: true, CheckThread: true, Observe: w.observe}
	if change != nil {
		change(&c)
	}
	var err error
	if m.rt, err = ss.New(c); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// eventsAt is written down here once more, apart from the package's own table: in which states of life
// which event may be told.
var eventsAt = map[ss.State][]ss.State{
	ss.Poll:         {ss.Creating, ss.Disconnected, ss.Unreachable, ss.AllRetriesFailed},
	ss.QOSAckRemote: {ss.Connected}, ss.QOSNackRemote: {ss.Connected},
	ss.ServerTxn: {ss.Connected}, ss.ServerUpgrade: {ss.Connected},
	ss.Timeout: {ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Unreachable,
		ss.AuthFailed, ss.AllRetriesFailed},
	ss.EventWaitCancel: {ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Unreachable,
		ss.AuthFailed, ss.AllRetriesFailed},
}

func isOneOf(s ss.State, list []ss.State) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// observe holds every state of every handle against both tables.
func (w *world) observe(h *ss.Handle, s ss.State, _ ss.Notice) {
	l := w.lives[h]
	if l == nil {
		l = new(life)
		w.lives[h] = l
	}
	l.told = append(l.told, short(s))
	bad := func(why string) {
		w.t.Errorf("%s: %s\n  told: %s", h.StreamType(), why, strings.Join(l.told, " "))
	}
	if l.over {
		bad("told something after DESTROYING")
	}
	if w.told != nil {
		w.told(h, l.life, s)
	}
	if !referenceAllows(l.last, s) {
		bad(fmt.Sprintf("the reference does not allow %v after %v", s, l.last))
	}
	if s >= ss.UserBase {
		return
	}
	if s != ss.EventWaitCancel && s != ss.UpstreamLinkRetry {
		l.last = s
	}
	if at, event := eventsAt[s]; event {
		if !isOneOf(l.life, at) {
			bad(fmt.Sprintf("event %v in %v", s, l.life))
		}
		return
	}
	legal := false
	for _, m := range ss.Transitions() {
		legal = legal || m.From == l.life && m.To == s
	}
	if !legal {
		bad(fmt.Sprintf("move from %v to %v", l.life, s))
	}
	l.life = s
	l.over = s == ss.Destroying
}

// run turns both loops until the condition holds.
func (w *world) run(what string, until func() bool) {
	w.t.Helper()
	if err := w.turn(until, 24*time.Hour); err != nil {
		w.failed = true
		w.t.Fatalf("waiting for %s: %v\n%s", what, err, w.dump())
	}
}

// turn is sim's Run for the loops that there are.
func (w *world) turn(until func() bool, limit time.Duration) error {
	if w.cli == w.srv {
		return w.net.Run(until, limit, w.cli.loop)
	}
	return w.net.Run(until, limit, w.cli.loop, w.srv.loop)
}

// pass turns both loops for d of virtual time.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	over := false
	w.net.At(d, func() { over = true })
	w.run(fmt.Sprintf("%v to pass", d), func() bool { return over })
}

// settle lets happen what happens at once.
func (w *world) settle() { w.t.Helper(); w.pass(time.Millisecond) }

// dump is what to read when a story got stuck.
func (w *world) dump() string {
	var b strings.Builder
	for _, m := range []*machine{w.cli, w.srv} {
		fmt.Fprintf(&b, "%s: ", m.host.Name())
		m.rt.Dump(&b)
	}
	for _, s := range w.accepted {
		fmt.Fprintf(&b, "accepted: %s\n", s.line())
	}
	return b.String()
}

// end closes both runtimes, lets the world come to rest, and looks whether anything is left.
func (w *world) end() {
	if w.failed || w.cli.loop.Poisoned() != nil || w.srv.loop.Poisoned() != nil {
		return
	}
	w.cli.rt.Close()
	w.srv.rt.Close()
	// A connection lingers for five seconds after its last byte; a timer that is to go off later is one that was forgotten.
	err := w.turn(func() bool { return w.cli.quiet() && w.srv.quiet() }, w.patience)
	for _, m := range []*machine{w.cli, w.srv} {
		if left := m.left(); left != "" {
			w.t.Errorf("%s: left over at the end (%v): %s\n%s", m.host.Name(), err, left, w.dump())
		}
		if c := m.rt.Counters; c.Illegal != 0 || c.Created != c.Destroyed {
			w.t.Errorf("%s: %d streams created, %d destroyed, %d illegal moves; want as many destroyed as created, no illegal move",
				m.host.Name(), c.Created, c.Destroyed, c.Illegal)
		}
	}
	for h, l := range w.lives {
		if !l.over {
			w.t.Errorf("%s: was never told DESTROYING: %s", h.StreamType(), strings.Join(l.told, " "))
		}
	}
}

// quiet is a cheap look whether anything is left; left has the last word.
func (m *machine) quiet() bool {
	st := m.loop.Stats()
	return m.rt.Len()+m.rt.Net().Open()+st.Timers+st.Sources == 0 && m.loop.Timeout() == loop.Forever && m.left() == ""
}

// left says what a machine holds that it should not after the end, "" for nothing.
func (m *machine) left() string {
	var list []string
	say := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	say(m.rt.Len() != 0, "%d handles", m.rt.Len())
	say(m.rt.Net().Open() != 0, "%d connections", m.rt.Net().Open())
	say(m.rt.Net().Held() != 0, "%d bytes held", m.rt.Net().Held())
	say(m.loop.Account().Used() != 0, "%d bytes on the account", m.loop.Account().Used())
	say(len(m.host.Open()) != 0, "descriptors %q", m.host.Open())
	say(m.loop.Stats().Timers != 0, "%d timers armed", m.loop.Stats().Timers)
	say(m.loop.Stats().Sources != 0, "%d sources watched", m.loop.Stats().Sources)
	say(m.loop.Timeout() != loop.Forever, "the loop wants a turn in %v", m.loop.Timeout())
	return strings.Join(list, "; ")
}
