package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// CloseError is the Cause of DISCONNECTED when the peer of a WebSocket stream has ended it by a Close frame, in good
// order too: its Code says.
type CloseError struct {
	Code   ws.Code // ws.NoCode if the frame had none
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return "ws: closed by the peer: " + e.Code.String()
	}
	return fmt.Sprintf("ws: closed by the peer: %v: %q", e.Code, e.Reason)
}

// wsPipe passes messages between a stream and its WebSocket connection, the same way on both sides of it.
type wsPipe struct {
	ws.Conn
	h      *Handle    // whose messages they are; nil when it has let go
	closed *closeInfo // nil until somebody takes leave
}

// parting is what the ends of a WebSocket have said of why they end it.
type closeInfo struct {
	remote *CloseError // the peer
	code   ws.Code     // we, 0 for the usual code
	reason string
	// dropped is what the peer has sent since the stream let the connection go.
	dropped uint64
}

// parting is p's, made if there is none.
func (p *wsPipe) closeInfo() *closeInfo {
	if p.closed == nil {
		p.closed = new(closeInfo)
	}
	return p.closed
}

// start makes p the end of a connection on low for h, as its policy has it, that tells t.
func (p *wsPipe) start(h *Handle, low roles.Lower, client bool, agreed ws.Agreed, t ws.Handler) {
	p.h = h
	p.Init(h.rt.wsShared(h.streamType.pol), low, client, agreed, t)
	if h.streamType.pol.Retry.HasValidity {
		p.SetValidity(&h.streamType.validity)
	}
}

// opened has messages flow as the stream wants them to. It may have let go.
func (p *wsPipe) opened() {
	h := p.h
	if h == nil {
		return
	}
	if h.flags&isPaused != 0 {
		p.Pause()
	}
	if h.flags&txWanted != 0 {
		p.WantWrite()
	}
}

// rx gives the stream a piece of a message.
func (p *wsPipe) rx(b []byte, f ws.Flags) {
	h := p.h
	if h == nil {
		p.discard(len(b))
		return
	}
	g := Text
	if f&ws.Binary != 0 {
		g = Binary
	}
	if f&ws.First != 0 {
		g |= SOM
	}
	if f&ws.Last != 0 {
		g |= EOM
	}
	h.rx(b, g)
}

const (
	// maxDiscard is the most that a peer may send, in octets, to a stream that has let the connection go, before it
	// sends its own Close frame: what a fast and long network holds.
	maxDiscard = 4 << 20
	// pieceCost is what a piece of a message counts for beside its octets: empty messages cost work too.
	pieceCost = 64
)

// discard drops n octets of a message that no stream waits for.
func (p *wsPipe) discard(n int) {
	w := p.closeInfo()
	if w.dropped += uint64(n) + pieceCost; w.dropped > maxDiscard {
		p.Abort(errNoEnd)
	}
}

var errNoEnd = fmt.Errorf("ss: websocket: the peer goes on to send after our Close frame: %w", http.ErrTimeout)

// leastPiece is the least that Tx is offered of a message.
const leastPiece = 4096

// writable has the stream give a piece of a message.
func (p *wsPipe) writable() {
	h, c := p.h, &p.Conn
	if h == nil || h.flags&(txWanted|wantFinish|doomed) != txWanted {
		return
	}
	buf := c.Room(leastPiece)
	if buf == nil {
		c.WantWrite()
		return
	}
	n, f, ok := h.tx(buf)
	if ok && (n > 0 || f&(SOM|EOM) != 0) {
		if err := c.Commit(n, h.streamType.wsFlags(f)); err != nil {
			h.misuse("a piece of a message cannot be sent: " + err.Error())
		}
	}
	if h.flags&(txWanted|doomed) == txWanted {
		c.WantWrite()
	}
}

// wsFlags are what f says of a piece that is sent. What kind of message it is the policy says, unless Tx does.
func (k *streamType) wsFlags(f Flags) (g ws.Flags) {
	if f&SOM != 0 {
		g |= ws.First
	}
	if f&EOM != 0 {
		g |= ws.Last
	}
	if f&Binary != 0 || k.pol.WS.Binary && f&Text == 0 {
		g |= ws.Binary
	}
	return g
}

// closing takes the peer's last word. A stream that has decided earlier in the turn to end it answers with its own.
func (p *wsPipe) closing(code ws.Code, reason []byte) {
	w := p.closeInfo()
	w.remote = &CloseError{code, string(reason)}
	if p.h != nil && w.code != 0 && p.h.flags&(wantDisconnect|wantFinish) != 0 {
		p.Close(w.code, w.reason)
	}
}

// why is what the stream is told of an end for which the connection gives cause: what the peer has said, unless
// something else was the matter before.
func (p *wsPipe) why(cause error) error {
	if w := p.closed; w != nil && w.remote != nil && (cause == nil || w.code == 0 && p.h != nil) {
		return w.remote
	}
	return cause
}

// ask has the stream give a piece of a message. With ws_prioritize_reads that waits until the turn has read what
// there is.
func (p *wsPipe) ask() {
	if p.h.streamType.pol.WS.PrioritizeReads {
		p.h.pend(wantAsk)
		return
	}
	p.WantWrite()
}

// settle does what ask has put off.
func (p *wsPipe) settle(h *Handle) {
	if h.flags&wantAsk != 0 {
		h.flags &^= wantAsk
		p.WantWrite()
	}
	if h.flags&(wantFinish|wantDisconnect) == wantFinish {
		h.flags &^= wantFinish
		w := p.closeInfo()
		p.Conn.Finish(w.code, w.reason)
	}
}

// flow stops or lets go what comes in.
func (p *wsPipe) flow(on bool) {
	if on {
		p.Resume()
	} else {
		p.Pause()
	}
}

// release lets the connection go: it ends with a closing handshake, which nobody waits for.
func (p *wsPipe) release() {
	if p.h == nil {
		return
	}
	r := p.h.rt
	var code ws.Code
	var why string
	if p.closed != nil {
		code, why = p.closed.code, p.closed.reason
	}
	if code == 0 {
		if code = ws.Normal; r.closed || r.drain != nil {
			code = ws.GoingAway
		}
	}
	p.h.flags &^= wantAsk | wantFinish
	p.h = nil
	p.Resume()
	p.Close(code, why)
}

// setClose sets what the Close frame will say that ends the connection.
func (p *wsPipe) setClose(code ws.Code, reason string) (ok bool, err error) {
	if err := ws.CheckClose(code, reason); err != nil {
		return true, err
	}
	w := p.closeInfo()
	w.code, w.reason = code, reason
	return true, nil
}

// wsShared returns what the WebSocket connections of a stream type share, and makes it at the first call.
func (r *Runtime) wsShared(p *policy.Stream) *ws.Shared {
	c := &r.ws
	if p.WS.Deflate {
		c = &r.wsPacked
	}
	if *c != nil {
		return *c
	}
	cfg := ws.DefaultConfig()
	if r.cfg.WS != nil {
		cfg = *r.cfg.WS
	}
	cfg.Deflate.On = p.WS.Deflate
	cfg.Rand = r.loop.System().Rand
	*c = ws.NewShared(cfg)
	return *c
}

// WS tells what WebSocket connections have counted so far, those without and those with compression.
func (r *Runtime) WS() (plain, packed ws.Counters) {
	if r.ws != nil {
		plain = r.ws.Counters
	}
	if r.wsPacked != nil {
		packed = r.wsPacked.Counters
	}
	return plain, packed
}

// upgrades says whether a server's stream type takes requests to become a WebSocket.
func (k *streamType) upgrades(m *http.Message) bool {
	return (k.pol.Protocol == policy.WS || k.pol.WS.Subprotocol != "") && ws.Wanted(m)
}
