package ss

import "github.com/millrace/millrace/roles"

// rawPipe passes bytes between a stream and its connection, the same way on both sides of it. Message
// boundaries do not exist: SOM and EOM are ignored, and Rx has no flags.
type rawPipe struct {
	h     *Handle
	low   roles.Lower
	ended bool // the peer sends no more
}

// rx gives the stream what came.
func (p *rawPipe) rx(b []byte) { p.h.rx(b, 0) }

// writable has the stream fill what room there is.
func (p *rawPipe) writable() {
	h := p.h
	if h.flags&txWanted == 0 {
		p.finish()
		return
	}
	buf := p.low.Room(roles.MaxRoom)
	if buf == nil {
		p.low.WantWrite()
		return
	}
	if n, _, ok := h.tx(buf); ok && n > 0 {
		p.low.Commit(n)
	}
	if h.flags&(txWanted|doomed) == txWanted {
		p.low.WantWrite()
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
		p.low.Close(roles.Graceful, nil)
	}
}
