package gen

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
	"github.com/millrace/millrace/bench/internal/sys"
)

// asker is what those have in common who send something on a connection, wait until the answer is complete, and
// send again.
type asker struct {
	buf    []byte // for what one read brings
	base   time.Time
	hist   *stat.Histogram
	in     inflow // over TLS
	sealed []byte // over TLS: what is sent as a record
}

// newAsker makes one whose answers are read up to size bytes at a time.
func newAsker(size int) asker {
	return asker{buf: make([]byte, size), base: time.Now(), hist: new(stat.Histogram)}
}

// send sends all of b, and begins to take the time of the answer.
func (p *asker) send(k *conn, b []byte) error {
	k.at = int64(time.Since(p.base))
	if k.tls != nil {
		p.sealed = k.tls.seal(p.sealed[:0], b)
		b = p.sealed
	}
	return sendAll(k, b)
}

// answered notes how long an answer took that is complete.
func (p *asker) answered(k *conn) { p.hist.Add(time.Since(p.base) - time.Duration(k.at)) }

// collect gives t what came, and says whether that completes the answer.
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

// sendAll writes b, for which the socket has to have room: nobody here sends before the last answer was read.
func sendAll(k *conn, b []byte) error {
	n, errno := sys.Write(k.fd, b)
	if errno == 0 && n < len(b) {
		errno = unix.EAGAIN
	}
	if errno != 0 {
		return fmt.Errorf("send: the socket took %d of %d bytes: %w", n, len(b), errno)
	}
	return nil
}

// receive reads once. Without an error 0 means that nothing is there yet.
func receive(k *conn, b []byte) (int, error) {
	switch n, errno := sys.Read(k.fd, b); {
	case errno == unix.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("read answer: %w", errno)
	case n == 0:
		return 0, errors.New("read answer: the server closed the connection")
	default:
		return n, nil
	}
}
