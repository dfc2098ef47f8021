package ss_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// script is what a hostile peer says: valid units of its protocol, one after another, and units that are not.
type hostileScript struct {
	r      *rand.Rand
	proto  string // "raw", "h1", "h2", "ws", "tls"
	server bool
	opened bool     // the first words have been said
	ws     bool     // the connection, or the stream of it, is a WebSocket
	id     uint32   // h2: our latest stream; of a server, the client's latest
	open   []uint32 // h2: streams that may take DATA
	key    string   // of the handshake that a client has sent
	hello  []byte   // tls: a ClientHello
	msg    bool     // ws: a message is under way
	enc    *hpack.Encoder
	block  bytes.Buffer
	seen   []byte // what has come and is not understood yet
}

func newHostileScript(r *rand.Rand, proto string, server bool) *hostileScript {
	s := &hostileScript{r: r, proto: proto, server: server}
	s.enc = hpack.NewEncoder(&s.block)
	return s
}

func (s *hostileScript) some(p float64) bool { return s.r.Float64() < p }

// junk is n bytes at random.
func (s *hostileScript) junk(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], s.r.Uint64())
		copy(b[i:], w[:])
	}
	return b
}

// size is a length: mostly small, seldom large.
func (s *hostileScript) size() int {
	if s.some(0.05) {
		return s.r.IntN(70_000)
	}
	return s.r.IntN(1 << s.r.IntN(11))
}

// unit is the next that is valid, as far as the script knows where the connection stands.
func (s *hostileScript) unit() []byte {
	switch s.proto {
	case "tls":
		s.opened = true
		return s.hello
	case "h1", "ws":
		switch {
		case s.ws:
			return s.wsFrame()
		case s.server:
			return s.h1Response()
		}
		return s.h1Request()
	case "h2":
		return s.h2Unit()
	}
	return s.junk(1 + s.size())
}

// bad is a unit that breaks the rules.
func (s *hostileScript) bad() []byte {
	switch s.r.IntN(5) {
	case 0:
		return s.junk(1 + s.size())
	case 1: // a valid one with an octet changed
		b := bytes.Clone(s.unit())
		if len(b) > 0 {
			b[s.r.IntN(len(b))] ^= byte(1 + s.r.IntN(255))
		}
		return b
	case 2: // a valid one with a piece missing
		b := s.unit()
		if len(b) > 1 {
			i := s.r.IntN(len(b))
			return append(bytes.Clone(b[:i]), b[i+s.r.IntN(len(b)-i):]...)
		}
		return b
	case 3: // one twice
		b := s.unit()
		return append(bytes.Clone(b), b...)
	}
	switch s.proto {
	case "h1", "ws":
		if s.ws {
			return s.rawFrame(byte(s.r.IntN(256)), s.junk(s.r.IntN(200)), s.some(0.5))
		}
		return []byte(h1Bad[s.r.IntN(len(h1Bad))])
	case "h2":
		return s.h2Bad()
	}
	return s.junk(100)
}

var h1Bad = []string{
	"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "X: " + strings.Repeat("y", 5000),
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "HTTP/1.1 099 ?\r\n\r\n", "HTTP/1.1 101 no\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "\x00\x00\x00", "\r\n\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

func (s *hostileScript) h1Request() []byte {
	n := s.r.IntN(1 << s.r.IntN(18))
	body := s.junk(s.size())
	switch s.r.IntN(9) {
	case 0:
		return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	case 1:
		return fmt.Appendf(nil, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body)+1, append(body, 'x'))
	case 2:
		return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 1+s.size()) // the body is what comes next
	case 3:
		return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	case 4:
		return bytes.Repeat(fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n), 1+s.r.IntN(20))
	case 5:
		s.ws = true
		return []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	case 6:
		return []byte("POST /parts HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/mixed; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"17\r\n--B\r\nContent-Length: 3\r\n\r\n\r\n4\r\none\r\r\n8\r\n\n--B--\r\n\r\n" + []string{"", "0\r\n\r\n"}[s.r.IntN(2)])
	case 7:
		return []byte("HEAD /100 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	}
	return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n)
}

func (s *hostileScript) h1Response() []byte {
	body := s.junk(s.size())
	switch s.r.IntN(9) {
	case 0:
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body)+1, append(body, 'x'))
	case 1:
		return bytes.Repeat([]byte("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"), 1+s.r.IntN(20))
	case 2:
		return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\n\r\n%s", body) // until the end
	case 3:
		return []byte([]string{"HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 302 Found\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"}[s.r.IntN(4)])
	case 4, 5, 6:
		if s.key == "" {
			break
		}
		s.ws = true
		sum := sha1.Sum([]byte(s.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		ext := []string{"", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", "Sec-WebSocket-Extensions: x\x00\r\n"}[s.r.IntN(3)]
		return fmt.Appendf(nil, "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%sSec-WebSocket-Accept: %s\r\n\r\n", ext, base64.StdEncoding.EncodeToString(sum[:]))
	case 7:
		return []byte("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=--B\r\n\r\n" +
			strings.Repeat("--B\r\nContent-Length: 3\r\n\r\none\r\n", s.r.IntN(30)))
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// wsFrame is the next frame of a WebSocket.
func (s *hostileScript) wsFrame() []byte {
	if s.msg {
		s.msg = s.some(0.5)
		return s.rawFrame(bitIf(!s.msg, wsFin), s.text(), true)
	}
	switch s.r.IntN(10) {
	case 0:
		return bytes.Repeat(s.rawFrame(wsFin|wsPing, s.junk(s.r.IntN(126)), true), 1+s.r.IntN(40))
	case 1:
		return s.rawFrame(wsFin|wsPong, nil, true)
	case 2:
		return bytes.Repeat(s.rawFrame(wsFin|wsClose, []byte{3, 0xe8}, true), 1+s.r.IntN(3)*s.r.IntN(500))
	case 3: // what is no DEFLATE, most likely
		return s.rawFrame(wsFin|wsRSV1|wsText, s.junk(s.size()), true)
	case 4:
		s.msg = true
		return s.rawFrame(wsText, s.text(), true)
	case 5: // a frame that does not end
		b := s.rawFrame(wsFin|wsBin, s.junk(200), true)
		return b[:len(b)-s.r.IntN(100)]
	}
	return s.rawFrame(wsFin|wsBin, s.junk(s.size()), true)
}

func (s *hostileScript) text() []byte { return []byte(strings.Repeat("text ", s.r.IntN(100))) }

func bitIf(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

// rawFrame is a frame, masked as that of its side must be, or the other way.
func (s *hostileScript) rawFrame(bits byte, payload []byte, right bool) []byte {
	p := wsPeer{server: s.server == right, keys: s.r.Uint32()}
	return p.appendFrame(nil, bits, string(payload))
}

func (s *hostileScript) h2Head(id uint32, flags byte, fields ...string) []byte {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	b := bytes.Clone(s.block.Bytes())
	if n := len(b); s.some(0.1) && n > 1 {
		i := 1 + s.r.IntN(n-1)
		return frame(frame(nil, fHeaders, flags&^4, id, b[:i]...), 9, 4, id, b[i:]...)
	}
	return frame(nil, fHeaders, flags, id, b...)
}

// h2Unit is the next frame, or two, of an HTTP/2 connection.
func (s *hostileScript) h2Unit() (b []byte) {
	if !s.opened {
		s.opened = true
		if !s.server {
			b = append(b, h2Magic...)
		}
		settings := []byte{0, 8, 0, 0, 0, 1, 0, 4, 0, 0, byte(s.r.IntN(256)), byte(s.r.IntN(256)), 0, 3, 0, 0, 0, byte(s.r.IntN(9))}
		return frame(b, fSettings, 0, 0, settings[6*s.r.IntN(4):]...)
	}
	id := s.id
	if n := len(s.open); n > 0 {
		id = s.open[s.r.IntN(n)]
	}
	switch s.r.IntN(12) {
	case 0:
		return frame(nil, fPing, byte(s.r.IntN(2)), 0, s.junk(8)...)
	case 1:
		return frame(nil, fSettings, 1, 0)
	case 2:
		return frame(nil, fWindow, 0, 0, 0, 0, byte(1+s.r.IntN(100)), 0)
	case 3:
		if id != 0 {
			return frame(nil, fWindow, 0, id, 0, 0, byte(1+s.r.IntN(100)), 0)
		}
	case 4:
		if id != 0 {
			return frame(nil, fReset, 0, id, 0, 0, 0, byte(s.r.IntN(14)))
		}
	case 5:
		return frame(nil, fGoAway, 0, 0, 0, 0, 0, byte(s.r.IntN(8)), 0, 0, 0, 0)
	case 6, 7:
		if len(s.open) > 0 {
			p := s.junk(min(s.size(), 16000))
			if s.ws {
				p = s.wsFrame()
				p = p[:min(len(p), 16000)]
			}
			return frame(nil, fData, byte(s.r.IntN(4)/3), id, p...)
		}
	case 8:
		return frame(nil, byte(10+s.r.IntN(200)), 0, id, s.junk(s.r.IntN(50))...)
	}
	if s.server {
		if id == 0 {
			return frame(nil, fSettings, 0, 0)
		}
		status := []string{"200", "200", "200", "404", "103", "503", "302"}[s.r.IntN(7)]
		return s.h2Head(id, byte(4|s.r.IntN(2)), ":status", status, "x", "y")
	}
	if s.id == 0 {
		s.id = ^uint32(0)
	}
	s.id += 2
	if s.some(0.3) {
		s.open = append(s.open, s.id)
		s.ws = true
		return s.h2Head(s.id, 4, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "a", "sec-websocket-version", "13")
	}
	if s.some(0.4) {
		s.open = append(s.open, s.id)
		return s.h2Head(s.id, 4, ":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a")
	}
	b = s.h2Head(s.id, 5, ":method", "GET", ":scheme", "http", ":path", fmt.Sprint("/", s.r.IntN(1<<s.r.IntN(18))), ":authority", "a")
	if s.some(0.2) {
		for range s.r.IntN(60) { // asked, and not wanted
			b = frame(b, fReset, 0, s.id, 0, 0, 0, 8)
			s.id += 2
			b = append(b, s.h2Head(s.id, 5, ":method", "GET", ":scheme", "http", ":path", "/9", ":authority", "a")...)
		}
	}
	return b
}

func (s *hostileScript) h2Bad() []byte {
	switch s.r.IntN(10) {
	case 0:
		return frame(nil, fData, 0, 2*s.r.Uint32N(1000)+1, s.junk(10)...)
	case 1:
		return frame(nil, fWindow, 0, s.id&0x7fffffff, 0, 0, 0, 0)
	case 2:
		return frame(nil, fWindow, 0, 0, 0x7f, 0xff, 0xff, 0xff)
	case 3:
		return frame(nil, fHeaders, 4, s.id&0x7fffffff+2, s.junk(30)...)
	case 4:
		return frame(nil, fHeaders, 4, s.r.Uint32N(1000)*2, 0x82)
	case 5:
		return frame(nil, fSettings, 0, 0, s.junk(6*s.r.IntN(30)+s.r.IntN(2))...)
	case 6:
		return []byte{0xff, 0xff, 0xff, byte(s.r.IntN(10)), 0, 0, 0, 0, 1}
	case 7:
		return bytes.Repeat(frame(nil, fSettings, 0, 0), 1+s.r.IntN(300))
	case 8:
		return bytes.Repeat(frame(nil, fData, 0, s.id&0x7fffffff), 1+s.r.IntN(300))
	}
	return frame(nil, 9, 0, s.id&0x7fffffff, s.junk(20)...)
}

// hear takes what has come, as far as it says something that the next unit depends on.
func (s *hostileScript) hear(b []byte) {
	if s.proto == "raw" || s.proto == "tls" || !s.server && s.proto != "h2" {
		return
	}
	s.seen = append(s.seen, b...)
	if s.proto == "h2" {
		s.seen = bytes.TrimPrefix(s.seen, []byte(h2Magic))
		for len(s.seen) >= 9 {
			n := int(s.seen[0])<<16 | int(s.seen[1])<<8 | int(s.seen[2])
			if len(s.seen) < 9+n {
				break
			}
			if id := binary.BigEndian.Uint32(s.seen[5:]); s.server && s.seen[3] == fHeaders {
				s.id, s.open = id, append(s.open, id)
			}
			s.seen = s.seen[9+n:]
		}
	} else if i := bytes.Index(s.seen, []byte("Sec-WebSocket-Key: ")); i >= 0 && len(s.seen) > i+19+24 {
		s.key = string(s.seen[i+19 : i+19+24])
	}
	if len(s.seen) > 32<<10 {
		s.seen = s.seen[:0]
	}
}
