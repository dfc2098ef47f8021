package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/raw"
)

// rawPipe passes bytes between a stream and its connection, the same way on both sides of it. Message
// boundaries do not exist: SOM and EOM of Tx are ignored, and Rx has EOM once, empty, when the peer has ended its
// direction.
type rawPipe struct {
	raw.Conn
	h *Handle
	// due is 0 until the peer has ended its direction. Then it is when the connection ends, unless the stream
	// gives something before; negative: never.
	due time.Duration
}

// writable has the stream fill what room there is.
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

// commit sends what the stream has given.
func (p *rawPipe) commit(n int) {
	p.Commit(n)
	if p.due != 0 {
		p.await()
	}
}

// rxEnd takes the end of the peer's direction. The reference takes it for the end of the stream. Here the
// stream may go on to write, for as long as it does not pause for too long: nobody can tell a peer that waits for more
// from one that is gone.
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

// Deadline is roles.Upper's.
func (p *rawPipe) Deadline() time.Duration { return max(p.due, 0) }

// Timeout is roles.Upper's.
func (p *rawPipe) Timeout(now time.Duration) {
	switch {
	case p.due <= 0 || now < p.due:
	case p.h.flags&txWanted != 0:
		p.await() // it would give something, but the socket takes nothing: wsi.Timeouts.Write bounds that
	default:
		p.due = -1
		p.Close(roles.Graceful, nil)
	}
}

// flow stops or lets go what comes in.
func (p *rawPipe) flow(paused bool) {
	if paused {
		p.Pause()
	} else {
		p.Resume()
	}
}

// release closes the connection, which sends what was committed before it goes.
func (p *rawPipe) release() {
	p.Resume()
	p.Close(roles.Graceful, nil)
}
