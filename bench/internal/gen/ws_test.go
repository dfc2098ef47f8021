package gen

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// The example of RFC 6455 s.1.3.
func TestWSAccept(t *testing.T) {
	if got, want := WSAccept([]byte("dGhlIHNhbXBsZSBub25jZQ==")), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A message's frame is masked, has the shortest possible length field, and the right opcode.
func TestNewMessage(t *testing.T) {
	for _, tc := range []struct {
		size int
		head string
	}{
		{0, "\x82\x80"}, {64, "\x82\xc0"}, {125, "\x82\xfd"}, {126, "\x82\xfe\x00\x7e"}, {65535, "\x82\xfe\xff\xff"},
		{65536, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00"},
	} {
		u := newMessage(tc.size, 1)
		if !strings.HasPrefix(string(u.frame), tc.head) || len(u.frame) != len(tc.head)+4+tc.size {
			t.Errorf("%d octets: got a frame of %d beginning with % x, want % x", tc.size, len(u.frame), u.frame[:2], tc.head)
			continue
		}
		key, masked := u.frame[len(tc.head):len(tc.head)+4], u.frame[len(tc.head)+4:]
		if bytes.Equal(key, make([]byte, 4)) {
			t.Errorf("%d octets: got masking key 0", tc.size)
		}
		for i := range masked {
			if masked[i]^key[i%4] != u.payload[i] {
				t.Errorf("%d octets: octet %d is not masked by % x", tc.size, i, key)
				break
			}
		}
	}
	if bytes.Equal(newMessage(64, 1).payload, newMessage(64, 2).payload) {
		t.Error("two seeds give the same message")
	}
}

// serverFrame returns a frame in a server's form.
func serverFrame(first byte, payload string) string {
	switch n := len(payload); {
	case n < wsLen16:
		return string([]byte{first, byte(n)}) + payload
	case n <= 0xffff:
		return string(binary.BigEndian.AppendUint16([]byte{first, wsLen16}, uint16(n))) + payload
	default:
		return string(binary.BigEndian.AppendUint64([]byte{first, wsLen64}, uint64(n))) + payload
	}
}

// Messages are the same whether their frames arrive whole, in single octets, or in odd pieces.
func TestFrameParser(t *testing.T) {
	long, longer := strings.Repeat("l", 300), strings.Repeat("m", 70000)
	in := serverFrame(0x82, "one") + serverFrame(2, "t") + serverFrame(0, "") + serverFrame(0x80, "wo") + serverFrame(0x82, "") +
		serverFrame(2, long) + serverFrame(0x80, longer)
	want := []string{"one", "two", "", long + longer}
	for _, size := range []int{len(in), 1, 3, 7} {
		var h frameParser
		var got []string
		message := ""
		for at := 0; at < len(in); at += size {
			err := h.parse([]byte(in[at:min(at+size, len(in))]), func(b []byte, last bool) error {
				if message += string(b); last {
					got, message = append(got, message), ""
				}
				return nil
			})
			if err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("in pieces of %d: got %d messages, %.60q; want %d, %.60q", size, len(got), got, len(want), want)
		}
	}
}

func TestFrameParserRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"masked":            "\x82\x81keysx",
		"text":              serverFrame(0x81, "x"),
		"compressed":        serverFrame(0xc2, "x"),
		"close":             serverFrame(0x88, ""),
		"no beginning":      serverFrame(0x80, "x"),
		"two beginnings":    serverFrame(2, "x") + serverFrame(0x82, "x"),
		"longer than a GiB": "\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
	} {
		err := new(frameParser).parse([]byte(in), func([]byte, bool) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "wrong frame") {
			t.Errorf("%s: got %v, want a wrong frame", name, err)
		}
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

// babbler is a WebSocket server that answers message number i with the result of answer.
func babbler(answer func(i int, message string) string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.WriteString(c, switching+WSAccept([]byte(req.Header.Get("Sec-WebSocket-Key")))+"\r\n\r\n")
		for i := 0; ; i++ {
			m, err := readMasked(r)
			if err != nil {
				return
			}
			io.WriteString(c, answer(i, m))
		}
	}
}

// readMasked reads a message of one frame.
func readMasked(r io.Reader) (string, error) {
	var head [14]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return "", err
	}
	n, size := 0, int(head[1]&0x7f)
	switch size {
	case wsLen16:
		n = 2
	case wsLen64:
		return "", errors.New("long")
	}
	if _, err := io.ReadFull(r, head[2:2+n+4]); err != nil {
		return "", err
	}
	if n > 0 {
		size = int(binary.BigEndian.Uint16(head[2:]))
	}
	key, b := head[2+n:2+n+4], make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] ^= key[i%4]
	}
	return string(b), nil
}

func TestEcho(t *testing.T) {
	inFrames := func(_ int, m string) string {
		return serverFrame(2, m[:len(m)/3]) + serverFrame(0, "") + serverFrame(0x80, m[len(m)/3:])
	}
	whole := func(_ int, m string) string { return serverFrame(0x82, m) }
	for name, answer := range map[string]func(int, string) string{"whole": whole, "in frames": inFrames} {
		addr := raw(t, babbler(answer))
		for _, size := range []int{1, 64, 16 << 10} {
			r, err := Echo(Chat{Addr: addr, Conns: 3, Size: size}, window())
			if err != nil || r.Done == 0 || r.Latency.Quantile(0.5) <= 0 {
				t.Errorf("%s, %d octets: got %d echoes, %v", name, size, r.Done, err)
			}
		}
		if err := ProbeWS(addr, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A wrong echo ends the measurement, and fails the probe.
func TestEchoRefuses(t *testing.T) {
	const size = 4 << 10
	for _, tc := range []struct {
		name, want string
		answer     func(i int, m string) string
	}{
		{"too short", "octets, last true; want", func(_ int, m string) string { return serverFrame(0x82, m[1:]) }},
		{"too long", "want 4096", func(_ int, m string) string { return serverFrame(0x82, m+"x") }},
		{"twice", "after its end", func(_ int, m string) string { return serverFrame(0x82, m) + serverFrame(0x82, m) }},
		{"text", "wrong frame", func(_ int, m string) string { return serverFrame(0x81, m) }},
		{"of an earlier message", "differ from the message sent", func() func(int, string) string {
			last := strings.Repeat("x", size)
			return func(_ int, m string) string {
				was := last
				last = m
				return serverFrame(0x82, was)
			}
		}()},
		{"spoilt in one octet", "differ from the message sent", func(i int, m string) string {
			b := []byte(m)
			b[len(b)/2] ^= 1
			return serverFrame(0x82, string(b))
		}},
	} {
		addr := raw(t, babbler(tc.answer))
		if _, err := Echo(Chat{Addr: addr, Conns: 1, Size: size}, window()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
		if err := ProbeWS(addr, nil); err == nil {
			t.Errorf("%s: the probe accepts it", tc.name)
		}
	}
}

func TestUpgradeRefuses(t *testing.T) {
	accept := WSAccept([]byte(wsKey))
	for _, tc := range []struct{ answer, want string }{
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "status 200"},
		{switching + "nonsense\r\n\r\n", `Sec-WebSocket-Accept "nonsense"`},
		{switching + accept + "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "offered none"},
		{"nothing that ends", "after the response"},
		{strings.Repeat("x", 5000), "no end"},
	} {
		addr := raw(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.WriteString(c, tc.answer)
			}
		})
		if _, err := Echo(Chat{Addr: addr, Conns: 1, Size: 1}, window()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.40q: got %v, want an error with %q", tc.answer, err, tc.want)
		}
	}
}
