package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// wsHandshake requests a WebSocket; the answer ends with wsSwitched.
const (
	wsHandshake = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: fuzzer\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nConnection: Upgrade\r\n" +
		"Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	wsSwitched = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// masked returns a client's frame with an all-zero masking key and less than 126 octets.
func masked(bits byte, payload string) string {
	return string([]byte{bits, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
}

// TestServeEchoIsStrict checks cases of the Autobahn conformance suite, with its numbers. The answer is compared up to
// the end of the connection, which the server closes first.
func TestServeEchoIsStrict(t *testing.T) {
	const hello = "Hello, world!"
	const closeFrame, closeEcho = "\x03\xe8", "\x88\x02\x03\xe8"
	text := masked(0x81, hello)
	echo := "\x81\x0d" + hello
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "pure", "--echo")
	for _, c := range []struct{ no, send, want string }{
		{"1.1.1", masked(0x81, "") + masked(0x88, closeFrame), "\x81\x00" + closeEcho},
		{"1.2.2", masked(0x82, strings.Repeat("\xfe", 125)) + masked(0x88, closeFrame), "\x82\x7d" + strings.Repeat("\xfe", 125) + closeEcho},
		{"2.5, a ping of 126 octets", "\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("\xfe", 126), "\x88\x02\x03\xea"},
		{"2.9, an unsolicited pong", masked(0x8a, "pong") + masked(0x89, "ping") + masked(0x88, closeFrame), "\x8a\x04ping" + closeEcho},
		{"3.2, a reserved bit behind a good message", text + masked(0xa1, hello) + masked(0x89, ""), echo + "\x88\x02\x03\xea"},
		{"4.1.3, a reserved operation", text + masked(0x85, "") + masked(0x89, ""), echo + "\x88\x02\x03\xea"},
		{"5.1, a ping in fragments", masked(0x09, "fragment1") + masked(0x80, "fragment2"), "\x88\x02\x03\xea"},
		{"5.18, a text in another", masked(0x01, "fragment1") + masked(0x81, "fragment2"), "\x01\x09fragment1\x88\x02\x03\xea"},
		{"6.3.1, bad text", masked(0x81, "\xed\xa0\x80edited"), "\x01\x01\xed\x88\x02\x03\xef"},
		{"6.4.1, bad text in the second of three frames", masked(0x01, "\xce\xba") + masked(0x00, "\xf4\x90\x80\x80"), "\x01\x02\xce\xba\x00\x01\xf4\x88\x02\x03\xef"},
		{"7.1.3, a ping after the Close frame", masked(0x88, closeFrame) + masked(0x89, ""), closeEcho},
		{"7.3.1, a Close frame without a code", masked(0x88, ""), "\x88\x00"},
		{"7.5.1, a reason that is not UTF-8", masked(0x88, closeFrame+"\xed\xa0\x80"), "\x88\x02\x03\xef"},
		{"7.7.10", masked(0x88, "\x0b\xb8"), "\x88\x02\x0b\xb8"},
		{"7.9.5", masked(0x88, "\x03\xee"), "\x88\x02\x03\xea"},
	} {
		conn, err := net.Dial("tcp", s.at)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, wsHandshake+c.send); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if _, answer, ok := strings.Cut(string(got), wsSwitched); err != nil || !ok || answer != c.want {
			t.Errorf("case %s: got %q, %v; want %q and the end", c.no, got, err, c.want)
		}
		conn.Close()
	}
}
