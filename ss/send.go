package ss

import (
	"errors"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/ws"
)

// Send gives b to the connection at once, with the flags that Tx would return with it: an answer that is made while
// its question comes in need not be kept until Tx asks. It returns how many bytes were taken, from the front, and
// whether that is all, with the beginning and end that f says; b is the caller's again. When nothing was taken, SOM has
// not been said either.
//
// Only WebSocket and raw streams take anything, and only from inside their own Rx, as long as the socket has taken what
// was given before. The rest, and everything at other times, is for Tx: see RequestTx. A stream that keeps such a rest
// must not Send until that is out, or it would overtake it.
func (h *Handle) Send(b []byte, f Flags) (n int, all bool) {
	if h.astray("Send") || h.flags&(doomed|wantFinish) != 0 || h.rt.filling {
		return 0, false
	}
	return h.be.send(b, f)
}

func (p *wsPipe) send(b []byte, f Flags) (n int, all bool) {
	if p.h == nil {
		return 0, false
	}
	g := p.h.kind.wsFlags(f)
	var err error
	if len(b) == 0 {
		if err = p.Commit(0, g); errors.Is(err, ws.ErrNoRoom) {
			return 0, false
		}
	} else {
		n, err = p.Conn.Send(b, g)
	}
	if err != nil && !errors.Is(err, ws.ErrClosing) {
		p.h.misuse("a piece of a message cannot be sent: " + err.Error())
	}
	return n, err == nil && n == len(b)
}

func (p *rawPipe) send(b []byte) (n int, all bool) {
	for n < len(b) {
		room := p.Room(min(len(b)-n, roles.MaxRoom))
		if room == nil {
			return n, false
		}
		k := copy(room, b[n:])
		p.commit(k)
		n += k
	}
	return n, true
}
