package gen

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sys/unix"
)

// The bits of a frame's first two octets (RFC 6455 s.5.2).
const (
	wsFin     = 0x80
	wsBinary  = 0x02
	wsOpcode  = 0x0f
	wsMasked  = 0x80
	wsLen16   = 126
	wsLen64   = 127
	wsMaxHead = 14
)

// Upgrade is the handshake request of every WebSocket client of the benchmarks. The key is the RFC's example (s.1.3).
const Upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + wsKey + "\r\nSec-WebSocket-Version: 13\r\n\r\n"

const wsKey = "dGhlIHNhbXBsZSBub25jZQ=="

// WSAccept returns a server's Sec-WebSocket-Accept for a key (RFC 6455 s.4.2.2).
func WSAccept(key []byte) string {
	h := sha1.New()
	h.Write(key)
	io.WriteString(h, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// wsMessage is a message and its masked client frame, which is encoded once. Repeated masking keys (s.5.3 requires
// unpredictable ones) make no difference to a server.
type wsMessage struct{ frame, payload []byte }

// newMessage creates a binary message of size octets. Its content depends on seed.
func newMessage(size int, seed uint32) wsMessage {
	u := wsMessage{payload: make([]byte, size), frame: make([]byte, 0, size+wsMaxHead)}
	x := seed*2654435761 + 1
	for i := range u.payload {
		x = x*1664525 + 1013904223
		u.payload[i] = byte(x >> 24)
	}
	u.frame = append(u.frame, wsFin|wsBinary)
	switch {
	case size < wsLen16:
		u.frame = append(u.frame, wsMasked|byte(size))
	case size <= 0xffff:
		u.frame = binary.BigEndian.AppendUint16(append(u.frame, wsMasked|wsLen16), uint16(size))
	default:
		u.frame = binary.BigEndian.AppendUint64(append(u.frame, wsMasked|wsLen64), uint64(size))
	}
	key := [4]byte{byte(x>>24) | 1, byte(x >> 16), byte(x >> 8), byte(x)} // never zero
	u.frame = append(u.frame, key[:]...)
	for i, c := range u.payload {
		u.frame = append(u.frame, c^key[i&3])
	}
	return u
}

// frameParser parses the frames of a server's messages.
type frameParser struct {
	head  [wsMaxHead - 4]byte // the received part of a frame's header
	have  int                 // octets in head
	left  int                 // octets of the current frame's payload still to come
	fin   bool                // the current frame is the last of its message
	begun bool                // the first frame of the current message has arrived
}

// parse takes the next octets of a connection and passes their payload to each, piece by piece; last marks the end of a
// message. It accepts only frames that an echo of binary messages may send.
func (h *frameParser) parse(b []byte, each func(piece []byte, last bool) error) error {
	for len(b) > 0 {
		if h.left == 0 {
			n, err := h.header(b)
			if err != nil {
				return err
			}
			if b = b[n:]; h.have > 0 {
				return nil
			}
		}
		n := min(len(b), h.left)
		h.left -= n
		last := h.left == 0 && h.fin
		if last {
			h.begun = false
		}
		if n > 0 || last {
			if err := each(b[:n], last); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// header takes octets of a frame's header, and returns how many it took. have stays above zero while the header is
// incomplete.
func (h *frameParser) header(b []byte) (used int, err error) {
	for used < len(b) {
		h.head[h.have] = b[used]
		h.have++
		used++
		if h.have < 2 {
			continue
		}
		size := int(h.head[1])
		switch {
		case size&wsMasked != 0:
			return 0, errors.New("wrong frame: a server's must not be masked")
		case size == wsLen16:
			if h.have < 4 {
				continue
			}
			size = int(binary.BigEndian.Uint16(h.head[2:]))
		case size == wsLen64:
			if h.have < 10 {
				continue
			}
			long := binary.BigEndian.Uint64(h.head[2:])
			if long > 1<<30 {
				return 0, fmt.Errorf("wrong frame: %d octets", long)
			}
			size = int(long)
		}
		want := byte(wsBinary)
		if h.begun {
			want = 0 // a continuation frame
		}
		if first := h.head[0]; first&^wsFin != want {
			return 0, fmt.Errorf("wrong frame: it starts with %#x, want opcode %d and no reserved bit", first, want)
		}
		h.fin, h.begun = h.head[0]&wsFin != 0, true
		h.left, h.have = size, 0
		return used, nil
	}
	return used, nil
}

// upgrade does the WebSocket handshake on a connection. It blocks.
func (k *conn) upgrade(in *inflow) error {
	rw := io.ReadWriter(&clearWire{wire{fd: k.fd}})
	if k.tls != nil {
		rw = &secureWire{k: k, in: in}
	}
	if err := upgrade(rw); err != nil {
		return fmt.Errorf("gen: upgrade to a WebSocket: %w", err)
	}
	return nil
}

// upgrade does the handshake over rw. It reads nothing after the server's response, since the servers send nothing
// before the first message.
func upgrade(rw io.ReadWriter) error {
	if _, err := io.WriteString(rw, Upgrade); err != nil {
		return err
	}
	var head []byte
	for buf := make([]byte, 1024); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		n, err := rw.Read(buf)
		if head = append(head, buf[:n]...); err != nil {
			return fmt.Errorf("after the response %q: %w", head, err)
		}
		if len(head) > 4096 {
			return fmt.Errorf("no end of the response %.100q", head)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return fmt.Errorf("response %q: %w", head, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("got status %d, want 101", resp.StatusCode)
	}
	if got, want := resp.Header.Get("Sec-WebSocket-Accept"), WSAccept([]byte(wsKey)); got != want {
		return fmt.Errorf("got Sec-WebSocket-Accept %q, want %q", got, want)
	}
	if x := resp.Header.Get("Sec-WebSocket-Extensions"); x != "" {
		return fmt.Errorf("got Sec-WebSocket-Extensions %q, but offered none", x)
	}
	return nil
}

// clearWire reads and writes a connection without TLS, blocking.
type clearWire struct{ wire }

func (w *clearWire) Read(b []byte) (int, error) { return w.some(b) }

// secureWire reads and writes through a connection's record layer, blocking.
type secureWire struct {
	k   *conn
	in  *inflow
	got []byte // decrypted data that was not read yet
}

func (w *secureWire) Write(b []byte) (int, error) {
	if _, err := (&wire{fd: w.k.fd}).Write(w.k.tls.seal(nil, b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (w *secureWire) Read(b []byte) (int, error) {
	for len(w.got) == 0 {
		if err := await(w.k.fd, unix.POLLIN); err != nil {
			return 0, err
		}
		if _, err := w.in.read(w.k, w); err != nil {
			return 0, err
		}
	}
	n := copy(b, w.got)
	w.got = w.got[n:]
	return n, nil
}

// take implements taker.
func (w *secureWire) take(_ *conn, b []byte) (full bool, err error) {
	w.got = append(w.got, b...)
	return false, nil
}
