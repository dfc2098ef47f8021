package sstest

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// Options describe a world. The zero Options are a perfect network.
type Options struct {
	// Seed selects the order of events and the faults of Net.
	Seed uint64
	// Net describes the network: latency, bandwidth, faults.
	Net sim.Options
	// ServerPolicy is the policy of the server machine, as JSON. Default: that of the client machine.
	ServerPolicy string
	// Client and Server change the configuration of the two runtimes, nil for none.
	Client, Server func(*ss.Config)
	// Loop configures both loops.
	Loop loop.Config
	// Single makes one machine with both addresses, one loop and one runtime.
	Single bool
	// Told sees each state of each stream before the stream receives it. life is the last move of the stream's
	// life before it.
	Told func(h *ss.Handle, life, s ss.State)
}

// World is a network with a client and a server machine, a runtime on each, and a record of the states of all streams.
// When the test ends, or at End, it closes both runtimes and reports what is left.
type World struct {
	T              TB
	Net            *sim.Network
	Client, Server *Machine
	// Accepted are the scripts of the streams that servers made by Serve accepted, in order.
	Accepted []*Script
	// Patience is how long everything may take, in virtual time, until it is released at the end. Default 15 s: a
	// connection lingers for five seconds after its last byte.
	Patience time.Duration

	watch   watch
	ended   bool
	already bool // the test had failed before there was this world
}

// New makes a world. doc is the policy, as JSON, of the client machine, and of the server machine unless
// Options.ServerPolicy is set. It locks the test's goroutine to its thread (ss.Config.CheckThread); illegal moves panic
// (ss.Config.PanicOnIllegal).
func New(t TB, doc string, o Options) *World {
	t.Helper()
	runtime.LockOSThread() // until the test's goroutine ends, as many times as it makes worlds
	w := &World{T: t, Net: sim.New(o.Seed, o.Net), Patience: 15 * time.Second, already: t.Failed(),
		watch: watch{t: t, told: o.Told, seen: make(map[*ss.Handle]*history)}}
	pol := w.parse("policy", doc)
	server := pol
	if o.ServerPolicy != "" {
		server = w.parse("server's policy", o.ServerPolicy)
	}
	if o.Single {
		w.Client = newMachine(w.Net, &w.watch, "both", pol, o.Loop, o.Client, ClientIP, ServerIP)
		w.Server = w.Client
	} else {
		w.Client = newMachine(w.Net, &w.watch, "client", pol, o.Loop, o.Client, ClientIP)
		w.Server = newMachine(w.Net, &w.watch, "server", server, o.Loop, o.Server, ServerIP)
	}
	t.Cleanup(w.cleanup)
	return w
}

func (w *World) parse(what, doc string) *policy.Policy {
	w.T.Helper()
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		w.T.Fatalf("%s: %v", what, err)
	}
	return p
}

// runLimit is the virtual time after which Run gives up.
const runLimit = 24 * time.Hour

// Run turns both loops, and lets virtual time pass, until the condition holds. what says what the test waits for. The test
// ends if nothing more can happen, or after a day.
func (w *World) Run(what string, until func() bool) {
	w.T.Helper()
	if err := w.Turn(until, runLimit); err != nil {
		w.ended = true // what is left over tells nothing more
		w.T.Fatalf("waiting for %s: %v\n%s", what, err, w.Dump())
	}
}

// Turn turns both loops until the condition holds, for at most limit of virtual time. The errors are those of
// sim.Network.Run.
func (w *World) Turn(until func() bool, limit time.Duration) error {
	if w.Client == w.Server {
		return w.Net.Run(until, limit, w.Client.Loop)
	}
	return w.Net.Run(until, limit, w.Client.Loop, w.Server.Loop)
}

// Advance turns both loops for d of virtual time.
func (w *World) Advance(d time.Duration) {
	w.T.Helper()
	over := false
	w.Net.At(d, func() { over = true })
	w.Run(fmt.Sprintf("%v to pass", d), func() bool { return over })
}

// Settle turns both loops for a millisecond: what happens at once has happened then.
func (w *World) Settle() {
	w.T.Helper()
	w.Advance(time.Millisecond)
}

// Outage takes the network away from the two machines for d of virtual time. Connections are not closed by it: what is
// sent arrives afterwards, unless one side gives up before.
func (w *World) Outage(d time.Duration) {
	w.T.Helper()
	if w.Client == w.Server {
		w.T.Fatalf("sstest: outage: a single machine has no network to lose")
	}
	w.Net.Partition(w.Client.Host, w.Server.Host)
	w.Advance(d)
	w.Net.Heal(w.Client.Host, w.Server.Host)
}

// Reset resets every connection between the machines, as a middlebox that restarts does.
func (w *World) Reset() { w.Net.ResetAll(w.Server.Host) }

// Dump describes both runtimes and the streams that were accepted, for a test that got stuck.
func (w *World) Dump() string {
	var b strings.Builder
	for _, m := range w.machines() {
		fmt.Fprintf(&b, "%s: ", m.Host.Name())
		m.Runtime.Dump(&b)
	}
	for _, s := range w.Accepted {
		fmt.Fprintf(&b, "accepted: %s\n", s.Line())
	}
	fmt.Fprintf(&b, "seed %d\n", w.Net.Seed())
	return b.String()
}

func (w *World) machines() []*Machine {
	if w.Client == w.Server {
		return []*Machine{w.Client}
	}
	return []*Machine{w.Client, w.Server}
}

// cleanup runs when the test ends.
func (w *World) cleanup() {
	w.T.Helper()
	w.End()
	if w.T.Failed() && !w.already {
		w.T.Logf("sstest: seed %d: the same Options.Seed gives the same run", w.Net.Seed())
	}
}

// Abandon makes End do nothing: the test has ended the world by itself, or broken it on purpose.
func (w *World) Abandon() { w.ended = true }

// End closes both runtimes, lets the world come to rest, and reports what is left. New arranges for it at the end of the
// test; a second call does nothing. A world whose test has given up waiting (Run), or whose loop is poisoned by a panic of the
// program, is left as it is.
func (w *World) End() {
	w.T.Helper()
	if w.ended || w.Client.Loop.Poisoned() != nil || w.Server.Loop.Poisoned() != nil {
		return
	}
	w.ended = true
	w.Client.Runtime.Close()
	w.Server.Runtime.Close()
	// A timer that is to expire after Patience is one that was forgotten.
	err := w.Turn(func() bool { return w.Client.Quiet() && w.Server.Quiet() }, w.Patience)
	for _, m := range w.machines() {
		if left := m.Left(); left != "" {
			w.T.Errorf("%s: left over at the end (%v): %s\n%s", m.Host.Name(), err, left, w.Dump())
		}
		if c := m.Runtime.Counters; c.Illegal != 0 || c.Created != c.Destroyed {
			w.T.Errorf("%s: %d streams created, %d destroyed, %d illegal moves; want as many destroyed as created, no illegal move",
				m.Host.Name(), c.Created, c.Destroyed, c.Illegal)
		}
	}
	w.watch.end()
}
