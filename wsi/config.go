package wsi

import (
	"cmp"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi/dial"
)

// Config configures a Net. Zero fields select the defaults.
type Config struct {
	Timeouts Timeouts
	// Resolver resolves names. Default: dial.NewHosts, which knows localhost and the System's /etc/hosts.
	Resolver dial.Resolver
	// MaxUnread is the maximum of unused input of a connection in bytes. It must be more than the largest unit that a
	// role collects (an h1 head). Default 256 KiB.
	MaxUnread int
	// KeepAlive makes the system probe silent peers of TCP connections, accepted and dialled, to detect a peer that has
	// vanished while there is nothing to send. loop.SocketOptions and loop.ListenOptions take precedence. Default: after
	// 60 s, which is less than the time limit of most NATs, every 15 s, four times; a negative Idle disables it.
	KeepAlive loop.KeepAlive
	// PeerMax is the maximum of accepted connections per peer, over all listeners of the Net. A peer is an IPv4 address,
	// or the /64 network of an IPv6 address. Further connections are reset. The default 0 is no limit, since one address
	// may be a proxy, or a NAT with thousands of clients. Unix sockets are never limited.
	PeerMax int
}

// keepAlive is the default of Config.KeepAlive: a vanished peer is detected after two minutes.
var keepAlive = loop.KeepAlive{Idle: 60 * time.Second, Interval: 15 * time.Second, Probes: 4}

// Timeouts are the time limits of connections. Zero fields of a Net's select the defaults, those of a listener or a
// dial select the Net's. A negative value means no limit.
type Timeouts struct {
	// Connect is the time for name resolution and all connection attempts together. Default 20 s.
	Connect time.Duration
	// Establish is the time from the open socket to the owner's call of Wsi.Established: for a handshake, or until a
	// first request. Default 30 s.
	Establish time.Duration
	// Idle is the time of an established connection without a byte in either direction. Default no limit: roles have
	// rules of their own.
	Idle time.Duration
	// Write is the time in which a peer must read while the socket refuses output. It starts at the first refusal, and
	// again whenever the socket has accepted WriteLeast bytes or all refused output. It limits peers that do not read,
	// or read single bytes. The system reports free space late, so one more write is tried before the end. The
	// connection is reset, so that the system drops its own buffered output too. Default 60 s: longer than a change of
	// network takes on a device, and than most pauses of a player.
	Write time.Duration
	// Linger is the time that a gracefully closed connection waits for the peer: to read more of our last bytes,
	// restarted whenever it does, and then to end its own direction. Default 5 s. Write applies at the same time.
	Linger time.Duration
}

// WriteLeast is how many bytes a peer must read in each Timeouts.Write while its connection has refused output. With
// the default minute that is 70 bytes a second, less than any usable TCP connection.
const WriteLeast = 4 << 10

var defaultTimeouts = Timeouts{
	Connect:   20 * time.Second,
	Establish: 30 * time.Second,
	Idle:      -1,
	Write:     60 * time.Second,
	Linger:    5 * time.Second,
}

// or returns t with its zero fields replaced by those of d.
func (t Timeouts) or(d *Timeouts) Timeouts {
	t.Connect = cmp.Or(t.Connect, d.Connect)
	t.Establish = cmp.Or(t.Establish, d.Establish)
	t.Idle = cmp.Or(t.Idle, d.Idle)
	t.Write = cmp.Or(t.Write, d.Write)
	t.Linger = cmp.Or(t.Linger, d.Linger)
	return t
}

const (
	// inSize is the receive buffer that all connections of a loop share. More than 64 KiB per read is not measurably
	// faster, and exceeds the second-level cache.
	inSize = 64 << 10
	// outSize is the size of the output arena: space for one full MaxRoom after three others.
	outSize = 64 << 10
	// lingerMax is how many bytes a peer may send while a closed connection lingers: the bytes in flight in a fast and
	// long network, so that a reset does not destroy our last bytes. A peer that sends more does not want them.
	lingerMax = 4 << 20
	// maxUnread is the default of Config.MaxUnread.
	maxUnread = 256 << 10
)

// Counters count events of a Net. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Accepted, Dialled       uint64 // connections opened, by the peer and by us
	ConnectFailed           uint64 // dials that ended without a connection
	Closed                  uint64 // connections closed, dialled and accepted
	BytesIn, BytesOut       uint64 // payload of sockets
	Reads, Writes           uint64 // system calls that transferred bytes or returned an end
	EmptyReads, EmptyWrites uint64 // system calls on a socket that was not ready
	ShortWrites             uint64 // writes that the socket accepted in part
	Resets                  uint64 // connections broken by the peer or the network
	TimedOut                uint64 // connections ended by one of Timeouts
	Flooded                 uint64 // closed connections reset early because their peer continued to send
	WriteTimedOut           uint64 // of TimedOut, those whose peer did not read our output: Timeouts.Write
	InputOverflow           uint64 // connections ended by more than MaxUnread bytes
	AcceptExhausted         uint64 // accepts that failed for lack of a descriptor or memory
	PeerRefused             uint64 // accepted connections of peers above PeerMax
	AcceptRefused           uint64 // accepted connections that the Acceptor refused
	Illegal                 uint64 // moves that the table of phases does not have: a bug in Millrace
	MemoryClosed            uint64 // connections closed because memory was short: see loop.Level
}
