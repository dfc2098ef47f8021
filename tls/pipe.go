package tls

import (
	"errors"
	"io"
	"net"
	"time"
)

// pipe is the net.Conn under a tls.Conn. Read returns bytes of feed, which never extends beyond the present record,
// so that the tls.Conn has no buffered bytes when the handshake ends. Writes are gathered in the loop's scratch
// space, so that the tls.Conn never gets a short write.
type pipe struct {
	sh    *Shared
	feed  []byte
	yield func(struct{}) bool // of the running coroutine; nil if there is none
	dead  bool
}

// blocked is a temporary net.Error: after it the tls.Conn keeps its state and can be called again.
type blocked struct{}

func (blocked) Error() string   { return "no bytes for now" }
func (blocked) Timeout() bool   { return true }
func (blocked) Temporary() bool { return true }

var (
	errWouldBlock net.Error = blocked{}
	errStopped              = errors.New("stopped")
)

// Read yields until there are bytes. Outside a coroutine it returns an error that it would block.
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.feed) == 0 {
		if p.dead {
			return 0, errStopped
		}
		if p.yield == nil {
			return 0, errWouldBlock
		}
		p.dead = !p.yield(struct{}{})
	}
	n := copy(b, p.feed)
	p.feed = p.feed[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.dead {
		return 0, io.ErrClosedPipe
	}
	p.sh.scratch = append(p.sh.scratch, b...)
	return len(b), nil
}

// crypto/tls does not use the other methods of net.Conn. It would ask for the remote address if a client had no name,
// but ours have one.
func (p *pipe) Close() error                     { return nil }
func (p *pipe) LocalAddr() net.Addr              { return pipeAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return pipeAddr{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
