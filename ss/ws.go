package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// CloseError is the Cause of DISCONNECTED when the peer of a WebSocket stream has sent a Close frame, after an
// orderly end too: see Code.
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

// wsPipe passes messages between a stream and its WebSocket connection, on both the client and the server side.
type wsPipe struct {
	ws.Conn
	h      *Handle    // the stream; nil after release
	closed *closeInfo // nil until one side starts to close
}

// closeInfo holds the reasons that both sides gave for closing a WebSocket.
type closeInfo struct {
	remote *CloseError // from the peer's Close frame
	code   ws.Code     // for our Close frame, 0 for the default
	reason string
	// dropped counts what the peer has sent after release.
	dropped uint64
}

// closeInfo returns p.closed, and creates it on first use.
func (p *wsPipe) closeInfo() *closeInfo {
	if p.closed == nil {
		p.closed = new(closeInfo)
	}
	return p.closed
}

// start initializes p for stream h over low. t receives the connection's events.
func (p *wsPipe) start(h *Handle, low roles.Lower, client bool, agreed ws.Agreed, t ws.Handler) {
	p.h = h
	p.Init(h.rt.wsShared(h.streamType.pol), low, client, agreed, t)
	if h.streamType.pol.Retry.HasValidity {
		p.SetValidity(&h.streamType.validity)
	}
}

// opened starts or pauses delivery. The stream may be gone already.
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

// rx delivers a piece of a message.
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
	// maxDiscard is the most that a peer may send after release, in octets, before it
	// sends its own Close frame: the bandwidth-delay product of a fast and long path.
	maxDiscard = 4 << 20
	// pieceCost is added to the octets of each piece: empty messages cost work too.
	pieceCost = 64
)

// discard drops n octets of a message after release.
func (p *wsPipe) discard(n int) {
	w := p.closeInfo()
	if w.dropped += uint64(n) + pieceCost; w.dropped > maxDiscard {
		p.Abort(errNoEnd)
	}
}

var errNoEnd = fmt.Errorf("ss: websocket: the peer keeps sending after our Close frame: %w", http.ErrTimeout)

// leastPiece is the smallest buffer that Tx gets for a piece of a message.
const leastPiece = 4096

// writable calls Tx for a piece of a message.
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

// wsFlags returns the flags of a piece to be sent. The policy sets the type of the message, unless Tx does.
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

// closing receives the peer's Close frame. If the stream has decided earlier in the turn to close, its own code is
// the answer.
func (p *wsPipe) closing(code ws.Code, reason []byte) {
	w := p.closeInfo()
	w.remote = &CloseError{code, string(reason)}
	if p.h != nil && w.code != 0 && p.h.flags&(wantDisconnect|wantFinish) != 0 {
		p.Close(w.code, w.reason)
	}
}

// why picks the Cause for DISCONNECTED: the peer's Close frame if it came first, else cause.
func (p *wsPipe) why(cause error) error {
	if w := p.closed; w != nil && w.remote != nil && (cause == nil || w.code == 0 && p.h != nil) {
		return w.remote
	}
	return cause
}

// ask requests a Tx. With ws_prioritize_reads it waits until the turn has read all input.
func (p *wsPipe) ask() {
	if p.h.streamType.pol.WS.PrioritizeReads {
		p.h.pend(wantAsk)
		return
	}
	p.WantWrite()
}

// settle does what ask and Finish have deferred to the end of the turn.
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

// flow resumes or pauses input.
func (p *wsPipe) flow(on bool) {
	if on {
		p.Resume()
	} else {
		p.Pause()
	}
}

// release detaches the stream: the connection ends with a closing handshake, which the stream does not wait for.
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

// setClose sets the code and the reason of our Close frame.
func (p *wsPipe) setClose(code ws.Code, reason string) (ok bool, err error) {
	if err := ws.CheckClose(code, reason); err != nil {
		return true, err
	}
	w := p.closeInfo()
	w.code, w.reason = code, reason
	return true, nil
}

// wsShared returns the shared state of the WebSocket connections of a stream type, and creates it on first use.
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

// WS returns the counters of WebSocket connections without and with compression.
func (r *Runtime) WS() (plain, packed ws.Counters) {
	if r.ws != nil {
		plain = r.ws.Counters
	}
	if r.wsPacked != nil {
		packed = r.wsPacked.Counters
	}
	return plain, packed
}

// upgrades reports whether a server's stream type accepts m as a WebSocket handshake.
func (k *streamType) upgrades(m *http.Message) bool {
	return (k.pol.Protocol == policy.WS || k.pol.WS.Subprotocol != "") && ws.Wanted(m)
}
