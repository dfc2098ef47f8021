package sstest

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/wsi"
)

// The addresses of the two machines. Every name resolves to ServerIP.
var (
	ClientIP = netip.MustParseAddr("10.0.0.1")
	ServerIP = netip.MustParseAddr("10.0.0.2")
)

// Machine is one end of a world.
type Machine struct {
	Host    *sim.Host
	Loop    *loop.Loop
	Runtime *ss.Runtime
}

func newMachine(net *sim.Network, watch *watch, name string, pol *policy.Policy, lc loop.Config, change func(*ss.Config), ips ...netip.Addr) *Machine {
	watch.t.Helper()
	m := &Machine{Host: net.Host(name, ips...)}
	m.Loop = loop.New(m.Host, lc)
	c := ss.Config{Loop: m.Loop, Policy: pol, PanicOnIllegal: true, CheckThread: true, Observe: watch.observe}
	c.Net.Resolver = everyName{}
	if change != nil {
		change(&c)
	}
	var err error
	if m.Runtime, err = ss.New(c); err != nil {
		watch.t.Fatalf("%s: %v", name, err)
	}
	return m
}

// Quiet reports whether the machine holds nothing, as at the end of a test.
func (m *Machine) Quiet() bool {
	st := m.Loop.Stats()
	cheap := m.Runtime.Len()+m.Runtime.Net().Open()+st.Timers+st.Sources == 0 && m.Loop.Timeout() == loop.Forever
	return cheap && m.Left() == ""
}

// Left describes what the machine holds that it must not hold after the end of all streams, "" for nothing: handles,
// connections, bytes on the memory account, descriptors, timers, sources of events.
func (m *Machine) Left() string {
	var list []string
	say := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	say(m.Runtime.Len() != 0, "%d handles", m.Runtime.Len())
	say(m.Runtime.Net().Open() != 0, "%d connections", m.Runtime.Net().Open())
	say(m.Runtime.Net().Held() != 0, "%d bytes held", m.Runtime.Net().Held())
	say(m.Loop.Account().Used() != 0, "%d bytes on the account", m.Loop.Account().Used())
	say(len(m.Host.Open()) != 0, "descriptors %q", m.Host.Open())
	say(m.Loop.Stats().Timers != 0, "%d timers armed", m.Loop.Stats().Timers)
	say(m.Loop.Stats().Sources != 0, "%d sources watched", m.Loop.Stats().Sources)
	say(m.Loop.Timeout() != loop.Forever, "the loop wants a turn in %v", m.Loop.Timeout())
	return strings.Join(list, "; ")
}

// everyName is a wsi.Resolver for which every name is the server machine's, except a text of digits and dots: that is
// an address with a mistake in it.
type everyName struct{}

// Resolve implements wsi.Resolver.
func (everyName) Resolve(name string, done func([]netip.Addr, error)) (cancel func()) {
	if strings.Trim(name, "0123456789.") == "" {
		done(nil, fmt.Errorf("sstest: resolve %q: %w", name, wsi.ErrNoName))
	} else {
		done([]netip.Addr{ServerIP}, nil)
	}
	return func() {}
}
