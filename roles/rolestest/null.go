package rolestest

import (
	"net/netip"
	"time"

	"github.com/millrace/millrace/roles"
)

// Null is a transport that does nothing, except that it accounts for memory and panics on Close. A transport of a test or
// a benchmark embeds it and overrides some methods.
type Null struct {
	Memory
	// Clock is the result of Now.
	Clock time.Duration
}

var (
	_ roles.Lower = (*Null)(nil)
	_ roles.Conn  = (*Null)(nil)
)

// The methods of roles.Lower.

// Room returns nil.
func (n *Null) Room(int) []byte { return nil }

// Commit does nothing.
func (n *Null) Commit(int) {}

// WantWrite does nothing.
func (n *Null) WantWrite() {}

// Pause does nothing.
func (n *Null) Pause() {}

// Resume does nothing.
func (n *Null) Resume() {}

// Credit does nothing.
func (n *Null) Credit(int) {}

// CloseWrite does nothing.
func (n *Null) CloseWrite() {}

// Close panics: a benchmark's connection must not end.
func (n *Null) Close(_ roles.CloseMode, cause error) { panic(cause) }

// Replace does nothing.
func (n *Null) Replace(roles.Upper) {}

// Rearm does nothing.
func (n *Null) Rearm() {}

// Wake does nothing.
func (n *Null) Wake() {}

// Now returns Clock.
func (n *Null) Now() time.Duration { return n.Clock }

// Info returns that of a socket.
func (n *Null) Info() roles.Info { return roles.Info{Conn: n} }

// The methods of roles.Conn.

// Label returns a fixed name.
func (n *Null) Label() string { return "null connection" }

// PeerIP returns the zero AddrPort.
func (n *Null) PeerIP() netip.AddrPort { return netip.AddrPort{} }

// InputDue returns false.
func (n *Null) InputDue() bool { return false }

// Established does nothing.
func (n *Null) Established() {}

// Cork is roles.Lower's.
func (n *Null) Cork() bool { return true }

// Uncork is roles.Lower's.
func (n *Null) Uncork() {}

// Lendable is roles.Lower's: it does not lend.
func (n *Null) Lendable(int) int { return 0 }

// Lend is roles.Lower's.
func (n *Null) Lend([]byte) int { return 0 }
