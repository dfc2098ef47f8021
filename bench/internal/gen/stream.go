package gen

import (
	"bytes"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// Flow is Conns connections that each stream bytes to an echo server and keep at most Ahead of them
// under way, so that neither side's socket buffer decides the outcome.
type Flow struct {
	Addr  netip.AddrPort
	Conns int
	Ahead int
}

// period is the length of the repeating pattern that a stream carries. It is prime, so a block that
// is lost, doubled or exchanged shows, whatever power of two its size is.
const period = 65521

// pattern is two periods long: any run of up to one period, from any phase, is contiguous in it.
var pattern = func() []byte {
	b := make([]byte, 2*period)
	x := uint32(1)
	for i := range period {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
		b[i+period] = b[i]
	}
	return b
}()

// Stream measures an echo server; Result.Done counts the bytes that came back, every one of them
// compared with what was sent. The caller has locked its thread.
func Stream(f Flow, w Window) (Result, error) {
	c, err := open(f.Addr, f.Conns, unix.EPOLLIN|unix.EPOLLOUT, false)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	// The sockets are writable from the start, and the poller's first look says so.
	r, err := run(c, w, &streamer{ahead: f.Ahead, buf: make([]byte, period)})
	if err != nil {
		return Result{}, fmt.Errorf("gen: stream over %d connections: %v: %w", f.Conns, f.Addr, err)
	}
	return r, nil
}

type streamer struct {
	ahead int
	buf   []byte
}

// serve takes in all echoes, then tops the connection up.
func (s *streamer) serve(k *conn, _ uint32) (done int, err error) {
	for {
		n, errno := sys.Read(k.fd, s.buf)
		if errno == unix.EAGAIN {
			break
		}
		if errno != 0 || n == 0 {
			return done, fmt.Errorf("read echo after %d bytes: the server closed the connection: %w", k.got, errno)
		}
		phase := k.got % period
		if !bytes.Equal(s.buf[:n], pattern[phase:phase+n]) {
			return done, fmt.Errorf("read echo: bytes %d to %d are not those that were sent", k.got, k.got+n)
		}
		k.got += n
		done += n
		if n < len(s.buf) {
			break
		}
	}
	for room := s.ahead - int(k.sent) + k.got; room > 0; room = s.ahead - int(k.sent) + k.got {
		phase := int(k.sent) % period
		n, errno := sys.Write(k.fd, pattern[phase:phase+min(room, period)])
		if errno == unix.EAGAIN {
			break // the poller tells when there is room
		}
		if errno != 0 {
			return done, fmt.Errorf("send after %d bytes: %w", k.sent, errno)
		}
		k.sent += int64(n)
	}
	return done, nil
}

func (s *streamer) restart() {}
