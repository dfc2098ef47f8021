package ss_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/loop"
)

// wsOverH2 carries the output and input of a wsPeer in DATA frames of one stream, which an extended CONNECT has made a
// tunnel (RFC 8441), by hand as well.
type wsOverH2 struct {
	p       *wsPeer
	in, out []byte
	magic   bool // the client's first words have come, or need not
	takes   bool // the other end takes extended CONNECT
	id      uint32
	fields  []hpack.HeaderField // of the other end's head
	conn    int                 // how much may be sent, on the connection
	stream  int                 // and on the stream
	initial int
	ended   bool // END_STREAM has come
	dec     *hpack.Decoder
}

const h2Magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func newWSOverH2(p *wsPeer) *wsOverH2 {
	h := &wsOverH2{p: p, magic: !p.server, id: 1, conn: 65535, stream: 65535, initial: 65535, dec: hpack.NewDecoder(4096, nil)}
	if !p.server {
		h.out = append(h.out, h2Magic...)
	}
	// ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE, and a window for the connection: input must not wait.
	h.out = frame(h.out, fSettings, 0, 0, 0, 8, 0, 0, 0, 1, 0, 4, 0x40, 0, 0, 0)
	h.out = frame(h.out, fWindow, 0, 0, 0x40, 0, 0, 0)
	return h
}

// wsDial2 is wsDial over HTTP/2.
func (w *world) wsDial2(port uint16) *wsPeer {
	w.t.Helper()
	p := &wsPeer{w: w, host: w.wsHost(), code: -1}
	var e syscall.Errno
	if p.fd, e = p.host.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, port)}, loop.SocketOptions{}); e != syscall.EINPROGRESS {
		w.t.Fatalf("connect: %v", e)
	}
	w.Settle()
	p.two = newWSOverH2(p)
	p.until("the server's word for extended CONNECT", func() bool { return p.two.takes || p.end != "" })
	p.two.head(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/echo", ":authority", "10.0.0.2",
		"sec-websocket-version", "13")
	p.until("the handshake's answer", func() bool { return p.head != "" || p.end != "" })
	if got := p.two.field(":status"); got != "200" {
		w.t.Fatalf("the handshake was answered by %q", p.two.fields)
	}
	return p
}

// wsAwait2 is wsAwait over HTTP/2, without extensions.
func (w *world) wsAwait2(create func()) *wsPeer {
	w.t.Helper()
	p := &wsPeer{w: w, host: w.wsHost(), server: true, code: -1}
	p.accept(create)
	p.two = newWSOverH2(p)
	p.until("a handshake", func() bool { return p.head != "" || p.end != "" })
	if h := p.two; h.field(":method") != "CONNECT" || h.field(":protocol") != "websocket" || h.field(":path") != "/echo" || h.field("sec-websocket-version") != "13" {
		w.t.Fatalf("the handshake is %q", h.fields)
	}
	p.two.head(":status", "200")
	p.flush()
	return p
}

func (h *wsOverH2) field(name string) string {
	for _, f := range h.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// head sends a head: alternating names and values.
func (h *wsOverH2) head(fields ...string) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	h.out = frame(h.out, fHeaders, 4, h.id, block.Bytes()...)
}

// wrap puts the peer's output into DATA frames, as far as the windows allow.
func (h *wsOverH2) wrap() {
	for len(h.p.out) > 0 && h.p.head != "" {
		n := min(len(h.p.out), h.conn, h.stream, 16<<10)
		if n <= 0 {
			return
		}
		h.out = frame(h.out, fData, 0, h.id, h.p.out[:n]...)
		h.p.out = h.p.out[n:]
		h.conn, h.stream = h.conn-n, h.stream-n
	}
}

// unwrap reads the received frames.
func (h *wsOverH2) unwrap() {
	if !h.magic {
		if len(h.in) < len(h2Magic) {
			return
		}
		if !strings.HasPrefix(string(h.in), h2Magic) {
			h.p.err("the first words are %q", h.in[:len(h2Magic)])
		}
		h.in, h.magic = h.in[len(h2Magic):], true
	}
	used := 0
	for b := h.in; len(b) >= 9; b = h.in[used:] {
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if len(b) < 9+n {
			break
		}
		h.take(b[3], b[4], binary.BigEndian.Uint32(b[5:]), b[9:9+n])
		used += 9 + n
	}
	h.in = h.in[:copy(h.in, h.in[used:])]
}

func (h *wsOverH2) take(typ, flags byte, id uint32, b []byte) {
	p := h.p
	if h.ended && id == h.id && typ != fReset && typ != fWindow {
		p.err("frame %d behind the end of the stream", typ)
	}
	switch typ {
	case fSettings:
		if flags&1 != 0 {
			return
		}
		for ; len(b) >= 6; b = b[6:] {
			switch v := int(binary.BigEndian.Uint32(b[2:])); binary.BigEndian.Uint16(b) {
			case 4:
				h.stream, h.initial = h.stream+v-h.initial, v
			case 8:
				h.takes = v == 1
			}
		}
		h.out = frame(h.out, fSettings, 1, 0)
	case fPing:
		if flags&1 == 0 {
			h.out = frame(h.out, fPing, 1, 0, b...)
		}
	case fWindow:
		switch n := int(binary.BigEndian.Uint32(b)); id {
		case 0:
			h.conn += n
		case h.id:
			h.stream += n
		}
	case fHeaders:
		var err error
		if h.fields, err = h.dec.DecodeFull(b); err != nil || flags&4 == 0 {
			p.err("a head: %v, flags %#x", err, flags)
		}
		h.id, p.head = id, "over HTTP/2"
	case fData:
		p.in = append(p.in, b...)
		h.ended = flags&1 != 0
	case fReset:
		p.end = fmt.Sprintf("RST_STREAM %d", binary.BigEndian.Uint32(b))
	case fGoAway:
		p.err("GOAWAY: %q", b)
	}
}

// close ends the peer's side of the stream, and then the connection.
func (h *wsOverH2) close() {
	h.wrap()
	h.out = frame(h.out, fData, 1, h.id)
	h.p.flush()
	h.p.w.Advance(time.Millisecond)
}
