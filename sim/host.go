package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
	// calendar is the wall-clock time at the start of virtual time.
	calendar = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// firstFD is the lowest descriptor: 0 to 2 are the standard streams of a process.
const firstFD = 3

// epoch is the start of virtual time. loop.Clock requires it to be greater than 0.
const epoch = time.Second

// The ephemeral ports, as Linux has them (net.ipv4.ip_local_port_range).
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// Calls counts the system calls of a host. Calls without an effect are also counted separately.
type Calls struct {
	Listens, Connects, Closes, Adds, Removes int // an Abort is a close

	Accepts, Reads, Writes, Waits int // with and without success

	AcceptsEmpty  int // Accept that returned EAGAIN
	ReadsEmpty    int // Read that returned EAGAIN
	WritesBlocked int // Write that returned EAGAIN
	WaitsEmpty    int // Wait that returned no event
	Other         int // SocketError, CloseWrite, SetOptions, addresses
}

// Idle returns the number of calls without an effect.
func (c Calls) Idle() int { return c.AcceptsEmpty + c.ReadsEmpty + c.WritesBlocked + c.WaitsEmpty }

// Host is one machine with one process, and implements loop.System. Network.Host makes it.
type Host struct {
	n     *Network
	name  string
	index int
	addrs []netip.Addr
	dead  bool // killed: sends and receives nothing

	fds       []*sock // indexed by descriptor, from firstFD
	used      int     // entries of fds that are not nil
	lowest    int     // no free slot of fds has a lower index
	listeners map[uint16][]*sock
	unix      map[string]*sock
	files     map[string][]byte
	port      uint16 // last ephemeral port tried
	conns     map[tuple]struct{}

	ready     []*sock // sockets with an edge to report, in order; from readyHead
	readyHead int
	woken     atomic.Bool
	wake      chan struct{}
	closed    bool
	paused    time.Duration // no Wait returns before this

	key       *rand.ChaCha8
	wallShift time.Duration
	calls     Calls
	joined    []byte // scratch of Writev
}

var _ loop.System = (*Host)(nil)

// tuple identifies an outgoing connection of a host.
type tuple struct {
	port uint16
	peer netip.AddrPort
}

func (h *Host) init() {
	h.listeners = make(map[uint16][]*sock)
	h.unix = make(map[string]*sock)
	h.conns = make(map[tuple]struct{})
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(h.n.seed >> (8 * (i % 8)))
	}
	seed[8] ^= byte(h.index)
	seed[9] ^= byte(h.index >> 8)
	h.key = rand.NewChaCha8(seed)
	h.port = firstEphemeral + uint16(h.key.Uint64()%(lastEphemeral-firstEphemeral))
}

// Name returns the name given to Network.Host.
func (h *Host) Name() string { return h.name }

// Network returns the network that h is part of.
func (h *Host) Network() *Network { return h.n }

// Now is the network's virtual clock.
func (h *Host) Now() time.Duration { return h.n.now }

// Wall returns the calendar time: virtual time since 2026, plus the jumps.
func (h *Host) Wall() time.Time { return calendar.Add(h.n.now - epoch + h.wallShift) }

// JumpWall moves the calendar by d, forward or back. It does not change Now.
func (h *Host) JumpWall(d time.Duration) { h.wallShift += d }

// Suspend stops the process for d from now, like a laptop that is closed: its next Wait does not return earlier.
func (h *Host) Suspend(d time.Duration) { h.paused = max(h.paused, h.n.now+d) }

// Rand fills p with bytes that depend only on the seed and the host.
func (h *Host) Rand(p []byte) {
	h.key.Read(p) // never fails
	h.note(opRand, loop.NoFD, len(p), 0, p)
}

// Calls returns the counts so far.
func (h *Host) Calls() Calls { return h.calls }

// Open describes the open descriptors. It is empty at the end of a test without leaks.
func (h *Host) Open() []string {
	var list []string
	for i, s := range h.fds {
		if s != nil {
			list = append(list, fmt.Sprintf("fd %d: %s", i+firstFD, s))
		}
	}
	return list
}

// InterfaceAddrs knows "lo" and "eth0".
func (h *Host) InterfaceAddrs(name string) ([]netip.Addr, error) {
	h.calls.Other++
	switch name {
	case "lo":
		return []netip.Addr{loopback4, loopback6}, nil
	case "eth0":
		return append([]netip.Addr(nil), h.addrs...), nil
	}
	return nil, fmt.Errorf("sim: interface addresses: of %q: %w", name, syscall.ENODEV)
}

// has reports whether a packet to a stays on this host.
func (h *Host) has(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	for _, own := range h.addrs {
		if own == a {
			return true
		}
	}
	return false
}

// full reports whether the limit of open descriptors is reached.
func (h *Host) full() bool {
	most := h.n.opts.MaxDescriptors
	return most != 0 && h.used >= most
}

// allocate puts s into the descriptor table at the lowest free number.
func (h *Host) allocate(s *sock) loop.FD {
	for h.lowest < len(h.fds) && h.fds[h.lowest] != nil {
		h.lowest++
	}
	if h.lowest == len(h.fds) {
		h.fds = append(h.fds, nil)
	}
	h.fds[h.lowest] = s
	h.used++
	s.fd = loop.FD(h.lowest + firstFD)
	return s.fd
}

// free removes fd from the table and returns its socket, or nil.
func (h *Host) free(fd loop.FD) *sock {
	s := h.at(fd)
	if s != nil {
		i := int(fd) - firstFD
		h.fds[i] = nil
		h.used--
		h.lowest = min(h.lowest, i)
		s.registered = false
		s.fd = loop.NoFD
	}
	return s
}

// at returns the socket of fd, or nil.
func (h *Host) at(fd loop.FD) *sock {
	if i := int(fd) - firstFD; i >= 0 && i < len(h.fds) {
		return h.fds[i]
	}
	return nil
}
