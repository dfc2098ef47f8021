package gen

import (
	"bytes"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// Flow is Conns connections that each stream bytes to an echo server with at most Ahead of them
// in flight, so that socket buffers do not decide the outcome.
type Flow struct {
	Addr  netip.AddrPort
	Conns int
	Ahead int
}

// period is the length of the repeating pattern in a stream. It is prime, so a lost, doubled or exchanged block
// is detected for every power of two as its size.
const period = 65521

// pattern is two periods long: any run of up to one period, at any phase, is contiguous in it.
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

// Stream measures an echo server; Result.Done counts the received bytes, each compared with the sent byte.
// The caller must have locked its thread.
func Stream(f Flow, w Window) (Result, error) {
	c, err := open(f.Addr, f.Conns, unix.EPOLLIN|unix.EPOLLOUT, false)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	// The sockets are writable from the start, which the first poll reports.
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

// serve reads all available echoes, then sends up to Ahead bytes.
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
			return done, fmt.Errorf("read echo: bytes %d to %d differ from the bytes sent", k.got, k.got+n)
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
			break // the poller reports when there is room
		}
		if errno != 0 {
			return done, fmt.Errorf("send after %d bytes: %w", k.sent, errno)
		}
		k.sent += int64(n)
	}
	return done, nil
}

func (s *streamer) restart() {}
