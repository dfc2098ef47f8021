package rolestest

import (
	"net/netip"
	"time"

	"github.com/millrace/millrace/roles"
)

// Null is a transport that does nothing: it gives no room, accounts for memory, and panics on Close. A test's or a
// benchmark's own transport embeds it and replaces what matters there.
type Null struct {
	Memory
	// Clock is what Now says.
	Clock time.Duration
}

var (
	_ roles.Lower = (*Null)(nil)
	_ roles.Conn  = (*Null)(nil)
)

// The methods of roles.Lower.

// Room gives none.
func (n *Null) Room(int) []byte { return nil }

// Commit drops what was committed.
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

// Now is Clock.
func (n *Null) Now() time.Duration { return n.Clock }

// Info describes a socket.
func (n *Null) Info() roles.Info { return roles.Info{Conn: n} }

// The methods of roles.Conn.

// Label is a fixed name.
func (n *Null) Label() string { return "null connection" }

// PeerIP is not known.
func (n *Null) PeerIP() netip.AddrPort { return netip.AddrPort{} }

// InputDue reports false.
func (n *Null) InputDue() bool { return false }

// Established does nothing.
func (n *Null) Established() {}
