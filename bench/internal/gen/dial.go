package gen

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// perSource is how many connections leave from one loopback address. The kernel's usual range holds
// 28,232 ports; it searches ever longer for a free one as they fill up.
const perSource = 8000

// source is the address from which connection number i leaves: 127.0.0.2, then .3, and so on.
func source(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i/perSource%250)})
}

// connectTimeout bounds the wait for one connection, in milliseconds. It is longer than the first
// retransmission of a SYN that met a full listen backlog.
const connectTimeout = 5000

// dial opens connection number i and waits until it stands.
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

// await blocks until fd is ready for events, for connectTimeout at the most.
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
	got  int   // bytes of the current answer, or of the whole stream in Stream
	sent int64 // bytes sent, in Stream
	at   int64 // when the current request left, in nanoseconds since the base of the run

	tls  *channel // nil without TLS
	talk *talk    // in Echo and Spread

	stage stage // in Storm
}

// crowd is a set of connections registered with one poller, found by descriptor.
type crowd struct {
	poll *sys.Poller
	by   []*conn // indexed by descriptor
	all  []*conn
	in   inflow // of the handshakes of WebSockets over TLS
}

// open dials n connections, shakes hands on them if they are to be secret, and registers them for the
// given events.
func open(addr netip.AddrPort, n int, events uint32, tls bool) (*crowd, error) {
	poll, err := sys.NewPoller()
	if err != nil {
		return nil, err
	}
	c := &crowd{poll: poll}
	for range n {
		if _, err := c.dial(addr, events, tls); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// dial adds one connection to the crowd.
func (c *crowd) dial(addr netip.AddrPort, events uint32, tls bool) (*conn, error) {
	k, err := c.connect(addr, tls)
	if err != nil {
		return nil, err
	}
	return k, c.poll.Add(k.fd, events)
}

// dialWS adds one that is a WebSocket.
func (c *crowd) dialWS(addr netip.AddrPort, events uint32, tls bool) (*conn, error) {
	k, err := c.connect(addr, tls)
	if err == nil {
		err = k.upgrade(&c.in)
	}
	if err != nil {
		return nil, err
	}
	return k, c.poll.Add(k.fd, events)
}

// connect adds one that the poller does not know yet.
func (c *crowd) connect(addr netip.AddrPort, tls bool) (*conn, error) {
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

func (c *crowd) add(fd int) *conn {
	for len(c.by) <= fd {
		c.by = append(c.by, nil)
	}
	k := &conn{fd: fd}
	c.by[fd] = k
	c.all = append(c.all, k)
	return k
}

// close aborts every connection and closes the poller.
func (c *crowd) close() {
	for _, k := range c.all {
		sys.Abort(k.fd)
	}
	c.poll.Close()
}
