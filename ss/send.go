package ss

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/ws"
)

// sendMost is the most that one Send takes, so that no stream keeps the others of its loop waiting for long: ten times
// what fills the pipe of 100 Mbit/s and 20 ms.
const sendMost = 256 << 10

// Send sends b at once, with the flags that Tx would return with it, and returns how many of its bytes were taken, from the
// front. It may be called at any time on the loop's goroutine: in any callback of this stream or of another, in a timer,
// in what was posted, between turns. It calls nothing back. b is the caller's again when Send returns: on a
// connection without TLS a payload of 4 KiB and more goes from b straight to the socket, in one system call with the
// protocol's framing, and only what the socket refuses is copied, up to 64 KiB, and charged to the loop's memory
// account. Smaller payloads, and all over TLS, WebSockets of clients, over HTTP/2 or with compression, are copied. What is
// sent in a callback of the stream's own connection leaves when the connection's turn is over, together; what is
// sent at other times leaves at once, by a system call each.
//
// SOM and EOM say what b begins and ends: a WebSocket message, or the body of an HTTP message, which SOM need not
// begin. A raw stream ignores them. An empty b says what the flags do. EOM is in force when all of b was taken.
//
// err is nil when all of b was taken, and f with it. Otherwise errors.Is finds one of:
//
//   - ErrBlocked: the connection takes no more now: the socket, the peer's window, or the loop's memory is full, a request
//     waits for its connection, or b is longer than what one call takes (256 KiB). Tx is called, as after RequestTx,
//     when there is room, and can go on with b[n:], by Send or by filling its buffer. If n is 0, SOM is
//     still to be said. Multipart bodies are asked for by Tx alone, and always answer this.
//   - ErrNotConnected: there is no connection, it is about to end, or no transaction whose payload is still to come.
//   - ErrMisuse: a message inside another, or a body that ends short of the length that was announced, which ends the
//     connection; or more body than was announced, of which the rest is not sent.
//   - ErrDestroyed, ErrWrongThread.
//
// A stream that has kept a rest for Tx must not Send before that is out: it would overtake the rest. In Tx itself,
// Send takes the place of the buffer: a Tx that has called it must not write to the buffer any more, and returns no bytes and
// no flags.
func (h *Handle) Send(b []byte, f Flags) (n int, err error) {
	switch {
	case h.astray("Send"):
		return 0, ErrWrongThread
	case h.flags&(destroyed|wantDestroy) != 0:
		return 0, ErrDestroyed
	case h.flags&(doomed|wantFinish) != 0:
		return 0, ErrNotConnected
	}
	part := b
	if len(b) > sendMost {
		part, f = b[:sendMost], f&^EOM
	}
	if h.rt.filling == h {
		h.flags |= sentInTx
	}
	n, err = h.be.send(h, part, f)
	if n > 0 && h.flags&hasSent == 0 {
		h.flags |= hasSent
	}
	if err == nil && n < len(b) {
		err = ErrBlocked
	}
	if err == ErrBlocked {
		h.requestTx()
	}
	return n, err
}

func (p *wsPipe) send(h *Handle, b []byte, f Flags) (n int, err error) {
	if p.h == nil {
		return 0, ErrNotConnected
	}
	n, err = p.Conn.Send(b, h.streamType.wsFlags(f))
	switch {
	case err == nil:
	case errors.Is(err, ws.ErrNoRoom):
		return n, ErrBlocked
	case errors.Is(err, ws.ErrClosing):
		return n, ErrNotConnected
	default:
		h.misuse("a piece of a message cannot be sent: " + err.Error())
		err = fmt.Errorf("%w: %w", ErrMisuse, err)
	}
	return n, err
}

func (p *rawPipe) send(b []byte) (n int, err error) {
	if n = p.Conn.Send(b); n > 0 && p.due != 0 {
		p.await()
	}
	return n, nil
}
