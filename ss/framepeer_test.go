package ss_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/ss"
)

// Frames of HTTP/2 that a framePeer sends or reads (RFC 9113 s.6).
const (
	fData, fHeaders, fReset, fSettings, fPing, fGoAway, fWindow = 0, 1, 3, 4, 6, 7, 8

	codeRefused, codeInternal = 7, 2
)

// framePeer is the server's end of an HTTP/2 connection, frame by frame, so that a test can do
// what a correct server would not. It runs on a raw stream, with the client's bytes as Rx.
type framePeer struct {
	w        *world
	h        *ss.Handle
	limit    int    // MAX_CONCURRENT_STREAMS, announced and kept unless negative
	more     []byte // further settings
	refused  int
	mute     bool
	onHead   func(q *peerRequest)                // a request's head has come
	onReq    func(p *framePeer, q *peerRequest)  // it is complete
	onFrame  func(typ byte, id uint32, b []byte) // nil, or told every frame first
	in, out  []byte
	started  bool
	dec      *hpack.Decoder
	enc      *hpack.Encoder
	block    bytes.Buffer
	requests []*peerRequest
	open     map[uint32]*peerRequest
	log      []string // what came besides requests
	over     bool
}

// peerRequest is a received request.
type peerRequest struct {
	id                    uint32
	method, path, scheme  string
	authority             string
	body                  []byte
	complete, reset, done bool
}

// frames makes the raw server stream of the world speak HTTP/2. each is called with every connection
// before it sends anything.
func (w *world) frames(streamType string, each func(p *framePeer)) *[]*framePeer {
	w.t.Helper()
	peers, err := w.framesOrError(streamType, each)
	if err != nil {
		w.t.Fatal(err)
	}
	return peers
}

func (w *world) framesOrError(streamType string, each func(p *framePeer)) (*[]*framePeer, error) {
	peers := new([]*framePeer)
	_, err := w.Server.Runtime.Create(ss.Info{StreamType: streamType, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			return newScriptOf(w)
		}
		p := &framePeer{w: w, h: h, limit: -1, open: make(map[uint32]*peerRequest), dec: hpack.NewDecoder(4096, nil)}
		p.enc = hpack.NewEncoder(&p.block)
		p.onReq = func(p *framePeer, q *peerRequest) { p.answer(q, 200, "hello "+q.path) }
		*peers = append(*peers, p)
		if each != nil {
			each(p)
		}
		return p
	}})
	return peers, err
}

func newScriptOf(w *world) *script {
	s := newScript()
	s.World = w.World
	return s
}

// State implements ss.Stream.
func (p *framePeer) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	switch s {
	case ss.Connected:
		if !p.mute {
			p.settings(p.limit)
		}
	case ss.Disconnected:
		p.over = true
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (p *framePeer) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	n := copy(buf, p.out)
	if p.out = p.out[n:]; len(p.out) > 0 {
		h.RequestTx()
	}
	return n, 0, ss.OK
}

// frame sends a frame.
func (p *framePeer) frame(typ, flags byte, id uint32, payload []byte) {
	p.out = append(p.out, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), typ, flags)
	p.out = binary.BigEndian.AppendUint32(p.out, id)
	p.out = append(p.out, payload...)
	p.h.RequestTx()
}

// settings announces the limit of concurrent streams, if limit is not negative. Further streams are refused at once.
func (p *framePeer) settings(limit int) {
	p.limit = limit
	var b []byte
	if limit >= 0 {
		b = binary.BigEndian.AppendUint32([]byte{0, 3}, uint32(limit))
	}
	b = append(b, p.more...)
	p.frame(fSettings, 0, 0, b)
}

func (p *framePeer) goAway(last, code uint32) {
	p.frame(fGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code))
}

// reset ends a request's stream.
func (p *framePeer) reset(q *peerRequest, code uint32) {
	q.done = true
	delete(p.open, q.id)
	p.frame(fReset, 0, q.id, binary.BigEndian.AppendUint32(nil, code))
}

// head sends a response's head; end means that it has no body.
func (p *framePeer) head(q *peerRequest, status int, end bool) {
	p.block.Reset()
	p.enc.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)})
	flags := byte(4)
	if end {
		flags |= 1
		p.finish(q)
	}
	p.frame(fHeaders, flags, q.id, p.block.Bytes())
}

// redirect sends the head of a redirect, whose body follows later.
func (p *framePeer) redirect(q *peerRequest, location string) {
	p.block.Reset()
	p.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "302"})
	p.enc.WriteField(hpack.HeaderField{Name: "location", Value: location})
	p.frame(fHeaders, 4, q.id, p.block.Bytes())
}

func (p *framePeer) data(q *peerRequest, body string, end bool) {
	flags := byte(0)
	if end {
		flags = 1
		p.finish(q)
	}
	p.frame(fData, flags, q.id, []byte(body))
}

func (p *framePeer) finish(q *peerRequest) {
	q.done = true
	delete(p.open, q.id)
}

// answer sends a whole response.
func (p *framePeer) answer(q *peerRequest, status int, body string) {
	p.head(q, status, body == "")
	if body != "" {
		p.data(q, body, true)
	}
}

// Rx implements ss.Stream.
func (p *framePeer) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.EOM != 0 {
		return ss.DisconnectMe // the client has ended its direction
	}
	p.in = append(p.in, b...)
	const magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if !p.started {
		if len(p.in) < len(magic) {
			return ss.OK
		}
		if string(p.in[:len(magic)]) != magic {
			p.w.t.Errorf("the client's first words: got %q, want the preface", p.in[:len(magic)])
			return ss.DisconnectMe
		}
		p.in, p.started = p.in[len(magic):], true
	}
	for len(p.in) >= 9 {
		n := int(p.in[0])<<16 | int(p.in[1])<<8 | int(p.in[2])
		if len(p.in) < 9+n {
			break
		}
		typ, flags, id := p.in[3], p.in[4], binary.BigEndian.Uint32(p.in[5:])
		payload := p.in[9 : 9+n]
		p.in = p.in[9+n:]
		p.take(typ, flags, id, payload)
	}
	return ss.OK
}

func (p *framePeer) take(typ, flags byte, id uint32, b []byte) {
	if p.onFrame != nil {
		p.onFrame(typ, id, b)
	}
	switch typ {
	case fSettings:
		if flags&1 == 0 && !p.mute {
			p.frame(fSettings, 1, 0, nil)
		}
	case fPing:
		p.log = append(p.log, "PING")
		if flags&1 == 0 && !p.mute {
			p.frame(fPing, 1, 0, b)
		}
	case fGoAway:
		p.log = append(p.log, "GOAWAY")
	case fReset:
		if q := p.open[id]; q != nil {
			q.reset = true
			p.finish(q)
		}
		p.log = append(p.log, fmt.Sprintf("RST_STREAM(%d)", id))
	case fHeaders:
		q := &peerRequest{id: id}
		fields, err := p.dec.DecodeFull(b)
		if err != nil {
			p.w.t.Errorf("HEADERS of stream %d: %v", id, err)
		}
		for _, f := range fields {
			switch f.Name {
			case ":method":
				q.method = f.Value
			case ":path":
				q.path = f.Value
			case ":scheme":
				q.scheme = f.Value
			case ":authority":
				q.authority = f.Value
			}
		}
		if p.limit >= 0 && len(p.open) >= p.limit {
			p.refused++
			p.reset(q, codeRefused)
			return
		}
		p.requests = append(p.requests, q)
		p.open[id] = q
		q.complete = flags&1 != 0
		if p.onHead != nil {
			p.onHead(q)
		}
		if q.complete {
			p.complete(q)
		}
	case fData:
		if len(b) > 0 && !p.mute {
			p.frame(fWindow, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		}
		q := p.open[id]
		if q == nil {
			return
		}
		q.body = append(q.body, b...)
		if flags&1 != 0 {
			p.complete(q)
		}
	}
}

func (p *framePeer) complete(q *peerRequest) {
	q.complete = true
	if p.onReq != nil {
		p.onReq(p, q)
	}
}

// paths lists the received requests, in order.
func (p *framePeer) paths() string {
	var list []string
	for _, q := range p.requests {
		list = append(list, q.path)
	}
	return strings.Join(list, " ")
}
