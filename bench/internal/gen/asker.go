package gen

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
	"github.com/millrace/millrace/bench/internal/sys"
)

// asker is the common part of clients that send data on a connection, wait until the response is complete, and
// send again.
type asker struct {
	buf    []byte // receives one read
	base   time.Time
	hist   *stat.Histogram
	in     inflow // over TLS
	sealed []byte // over TLS: the record to send
}

// newAsker creates an asker that reads responses up to size bytes at a time.
func newAsker(size int) asker {
	return asker{buf: make([]byte, size), base: time.Now(), hist: new(stat.Histogram)}
}

// send sends all of b, and starts the clock of the response.
func (p *asker) send(k *conn, b []byte) error {
	k.at = int64(time.Since(p.base))
	if k.tls != nil {
		p.sealed = k.tls.seal(p.sealed[:0], b)
		b = p.sealed
	}
	return sendAll(k, b)
}

// answered records the latency of a complete response.
func (p *asker) answered(k *conn) { p.hist.Add(time.Since(p.base) - time.Duration(k.at)) }

// collect passes received bytes to t, and reports whether they complete the response.
func (p *asker) collect(k *conn, t taker) (full bool, err error) {
	if k.tls != nil {
		return p.in.read(k, t)
	}
	n, err := receive(k, p.buf)
	if n == 0 || err != nil {
		return false, err
	}
	return t.take(k, p.buf[:n])
}

func (p *asker) restart() { p.hist.Reset() }

// sendAll writes b. The socket has room for it, since a client sends only after it has read the last response.
func sendAll(k *conn, b []byte) error {
	n, errno := sys.Write(k.fd, b)
	if errno == 0 && n < len(b) {
		errno = unix.EAGAIN
	}
	if errno != 0 {
		return fmt.Errorf("send: the socket accepted %d of %d bytes: %w", n, len(b), errno)
	}
	return nil
}

// receive reads once. 0 without an error means that no data has arrived.
func receive(k *conn, b []byte) (int, error) {
	switch n, errno := sys.Read(k.fd, b); {
	case errno == unix.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("read response: %w", errno)
	case n == 0:
		return 0, errors.New("read answer: the server closed the connection")
	default:
		return n, nil
	}
}
