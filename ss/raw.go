package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/raw"
)

// rawPipe passes bytes between a stream and its connection, on both the client and the server side. There are no
// message boundaries: SOM and EOM of Tx are ignored, and Rx has EOM once, empty, when the peer has ended its
// direction.
type rawPipe struct {
	raw.Conn
	h *Handle
	// due is 0 until the peer has ended its direction. Then it is when the connection is closed unless the stream
	// sends something before; negative: never.
	due time.Duration
}

// writable calls Tx for the free room.
func (p *rawPipe) writable() {
	h := p.h
	if h.flags&txWanted == 0 {
		return
	}
	buf := p.Room(roles.MaxRoom)
	if buf == nil {
		p.WantWrite()
		return
	}
	if n, _, ok := h.tx(buf); ok && n > 0 {
		p.commit(n)
	}
	if h.flags&(txWanted|doomed) == txWanted {
		p.WantWrite()
	}
}

// commit sends n bytes that the stream has returned.
func (p *rawPipe) commit(n int) {
	p.Commit(n)
	if p.due != 0 {
		p.await()
	}
}

// rxEnd handles the end of the peer's direction. libwebsockets ends the stream then. Here the stream may continue to
// write, but not pause for long: a peer that waits for more looks like one that is gone.
func (p *rawPipe) rxEnd() {
	p.await()
	p.h.rx(nil, EOM)
}

func (p *rawPipe) await() {
	p.due = -1
	if d := p.h.rt.cfg.HalfClosed; d > 0 {
		p.due = p.h.rt.loop.Now() + d
	}
}

// peerEnded reports whether the peer has ended its direction.
func (p *rawPipe) peerEnded() bool { return p.due != 0 }

// Deadline implements roles.Upper.
func (p *rawPipe) Deadline() time.Duration { return max(p.due, 0) }

// Timeout implements roles.Upper.
func (p *rawPipe) Timeout(now time.Duration) {
	switch {
	case p.due <= 0 || now < p.due:
	case p.h.flags&txWanted != 0:
		p.await() // it wants to send, but the socket accepts nothing: wsi.Timeouts.Write limits that
	default:
		p.due = -1
		p.Close(roles.Graceful, nil)
	}
}

// flow pauses or resumes input.
func (p *rawPipe) flow(paused bool) {
	if paused {
		p.Pause()
	} else {
		p.Resume()
	}
}

// release closes the connection after what was committed is sent.
func (p *rawPipe) release() {
	p.Resume()
	p.Close(roles.Graceful, nil)
}
