package gen

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// perSource is the number of connections per loopback source address. The kernel's usual range has
// 28,232 ports, and its search for a free one slows down as they fill up.
const perSource = 8000

// source returns the source address of connection number i: 127.0.0.2, then .3, and so on.
func source(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i/perSource%250)})
}

// connectTimeout bounds the wait for one connection, in milliseconds. It is longer than the first
// retransmission of a SYN that met a full listen backlog.
const connectTimeout = 5000

// dial opens connection number i and waits until it is established.
func dial(addr netip.AddrPort, i int) (int, error) {
	fd, err := sys.Dial(source(i), addr)
	if err != nil {
		return -1, err
	}
	if err = await(fd, unix.POLLOUT); err == nil {
		err = sys.Connected(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("gen: connection %d to %v: %w", i, addr, err)
	}
	return fd, nil
}

// await blocks until fd is ready for events, at most for connectTimeout.
func await(fd int, events int16) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, connectTimeout)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = unix.ETIMEDOUT
		}
		return err
	}
}

// conn is one client connection.
type conn struct {
	fd   int
	got  int   // bytes of the current response, or of the whole stream in Stream
	sent int64 // bytes sent, in Stream
	at   int64 // when the current request was sent, in nanoseconds since the base of the run

	tls  *channel // nil without TLS
	talk *talk    // in Echo and Spread

	stage stage // in Storm
}

// connSet is a set of connections registered with one poller, indexed by descriptor.
type connSet struct {
	poll *sys.Poller
	by   []*conn // indexed by descriptor
	all  []*conn
	in   inflow // for the handshakes of WebSockets over TLS
}

// open dials n connections, does their TLS handshakes if the load needs them, and registers them for the
// given events.
func open(addr netip.AddrPort, n int, events uint32, tls bool) (*connSet, error) {
	poll, err := sys.NewPoller()
	if err != nil {
		return nil, err
	}
	c := &connSet{poll: poll}
	for range n {
		if _, err := c.dial(addr, events, tls); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// dial adds one connection.
func (c *connSet) dial(addr netip.AddrPort, events uint32, tls bool) (*conn, error) {
	k, err := c.connect(addr, tls)
	if err != nil {
		return nil, err
	}
	return k, c.poll.Add(k.fd, events)
}

// dialWS adds one WebSocket connection.
func (c *connSet) dialWS(addr netip.AddrPort, events uint32, tls bool) (*conn, error) {
	k, err := c.connect(addr, tls)
	if err == nil {
		err = k.upgrade(&c.in)
	}
	if err != nil {
		return nil, err
	}
	return k, c.poll.Add(k.fd, events)
}

// connect adds one connection without registering it.
func (c *connSet) connect(addr netip.AddrPort, tls bool) (*conn, error) {
	fd, err := dial(addr, len(c.all))
	if err != nil {
		return nil, err
	}
	k := c.add(fd)
	if tls {
		if k.tls, err = secure(fd); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (c *connSet) add(fd int) *conn {
	for len(c.by) <= fd {
		c.by = append(c.by, nil)
	}
	k := &conn{fd: fd}
	c.by[fd] = k
	c.all = append(c.all, k)
	return k
}

// close aborts every connection and closes the poller.
func (c *connSet) close() {
	for _, k := range c.all {
		sys.Abort(k.fd)
	}
	c.poll.Close()
}
