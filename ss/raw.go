package ss

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/raw"
)

// rawPipe passes bytes between a stream and its connection, the same way on both sides of it. Message
// boundaries do not exist: SOM and EOM are ignored, and Rx has no flags.
type rawPipe struct {
	raw.Conn
	h     *Handle
	ended bool // the peer sends no more
}

// rawPipe is the raw connection of h, nil without one.
func (h *Handle) rawPipe() *rawPipe {
	switch b := h.be.(type) {
	case *onward:
		if a, ok := b.carrier.(*rawClient); ok && a.c != nil {
			return &a.c.pipe
		}
	case *acceptedRaw:
		return &b.pipe
	}
	return nil
}

// writable has the stream fill what room there is.
func (p *rawPipe) writable() {
	h := p.h
	if h.flags&txWanted == 0 {
		p.finish()
		return
	}
	buf := p.Room(roles.MaxRoom)
	if buf == nil {
		p.WantWrite()
		return
	}
	if n, _, ok := h.tx(buf); ok && n > 0 {
		p.Commit(n)
	}
	if h.flags&(txWanted|doomed) == txWanted {
		p.WantWrite()
		return
	}
	p.finish()
}

// rxEnd takes the end of the peer's direction. The reference takes it for the end of the stream, and
// so do we, once the stream has given what it had asked to give: an echo owes its last bytes.
func (p *rawPipe) rxEnd() {
	p.ended = true
	if p.h.flags&txWanted == 0 {
		p.finish()
	}
}

func (p *rawPipe) finish() {
	if p.ended {
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
