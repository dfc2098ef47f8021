package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// hostile is a text that would change the colour of a terminal, move its cursor, forge a line, and change the direction of text.
const hostile = "\x1b[31m\x1b]0;owned\x07\rfine\nmillrace: forged\x7f\u009b2J\u202egpj.exe\u2066"

// hostileText are the same without characters that some places do not allow.
const (
	hostileUTF8  = "\u009b2J\u202egpj.exe\u2066\u200f" // of octets from 0x80 on: header fields
	hostileBytes = "\x9b\xff\xc0\x80"                  // and no UTF-8
)

// clean fails the test if s has a byte or character with an effect on a terminal.
func clean(t *testing.T, what, s string) {
	t.Helper()
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		bad := r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError && n == 1 ||
			r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		if bad {
			t.Errorf("%s: %+q at byte %d of\n%+q", what, r, i, s)
			return
		}
		i += n
	}
	if strings.Contains(s, "\nmillrace: forged") {
		t.Errorf("%s: forged line:\n%+q", what, s)
	}
}

// accept starts a listener and serves every connection with f.
func accept(t *testing.T, f func(c net.Conn)) (at string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

// answer starts a server that answers every request with the same text.
func answer(t *testing.T, text string) (url string) {
	return "http://" + accept(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		if n, _ := c.Read(buf); n > 0 {
			io.WriteString(c, text)
			c.Read(buf)
		}
	}) + "/"
}

// h2Answer starts an HTTP/2 server (prior knowledge) that answers with the frames, and closes.
func h2Answer(t *testing.T, frames string) (url string) {
	return "http://" + accept(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		if n, _ := c.Read(buf); n > 0 {
			io.WriteString(c, h2Frame(4, 0, "")+frames)
			time.Sleep(20 * time.Millisecond)
		}
	}) + "/"
}

func h2Frame(typ byte, stream uint32, payload string) string {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), typ, 0}
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// hostileCertificate has the text in all its names. If by is nil, it is self-signed.
func hostileCertificate(t *testing.T, names ...string) (c stdtls.Certificate, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who := pkix.Name{CommonName: hostile, Organization: []string{hostile}, Country: []string{hostile}}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: who, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: names, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	if len(names) > 0 && names[0] == "127.0.0.1" {
		x.DNSNames, x.IPAddresses = names[1:], []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// tlsAnswer starts a TLS server with a certificate that answers every request.
func tlsAnswer(t *testing.T, c stdtls.Certificate, text string) (url string) {
	conf := &stdtls.Config{Certificates: []stdtls.Certificate{c}}
	return "https://" + accept(t, func(c net.Conn) {
		s := stdtls.Server(c, conf)
		buf := make([]byte, 4096)
		if n, _ := s.Read(buf); n > 0 {
			io.WriteString(s, text)
			s.Read(buf)
		}
	}) + "/"
}

// Text from peers is escaped in errors and logs, whatever its path.
func TestHostileTextOfPeersIsEscaped(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	// The names of a certificate are ASCII octets, some of which have an effect on a terminal.
	evil := "\x1b[31mred\x07.example\nmillrace: forged"
	stranger, _ := hostileCertificate(t, "127.0.0.1", evil)
	named, namedCA := hostileCertificate(t, evil, "other.example")
	bare, bareCA := hostileCertificate(t)
	good, goodCA := hostileCertificate(t, "127.0.0.1")
	talk := func(code uint16, reason string) string {
		return wsPeer(t, func(c net.Conn, r *bufio.Reader) {
			io.WriteString(c, wsClose(code, reason))
			readClose(t, r)
		})
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"a certificate of an unknown CA", []string{tlsAnswer(t, stranger, ok)}, exitUnreachable, `\x1b[31m`},
		{"a certificate for other names", []string{strings.Replace(tlsAnswer(t, named, ok), "127.0.0.1", "localhost", 1), "--ca", namedCA}, exitUnreachable, `\x1b[31m`},
		{"a certificate without names", []string{tlsAnswer(t, bare, ok), "--ca", bareCA}, exitUnreachable, "subjectAltName"},
		{"a trusted chain in the log", []string{tlsAnswer(t, good, ok), "--ca", goodCA}, exitOK, `\x1b[31m`},
		{"no TLS at all", []string{strings.Replace(answer(t, hostile), "http", "https", 1)}, exitUnreachable, "does not speak TLS"},
		{"a reason phrase", []string{answer(t, "HTTP/1.1 404 "+hostileUTF8+hostileBytes+"\r\nContent-Length: 0\r\n\r\n")}, exitRefused, "nack"},
		{"a reason phrase with controls", []string{answer(t, "HTTP/1.1 404 "+hostile+"\r\nContent-Length: 0\r\n\r\n")}, exitUnreachable, ""},
		{"a status line", []string{answer(t, hostile+"\r\n\r\n")}, exitUnreachable, "h1: "},
		{"a header name", []string{answer(t, "HTTP/1.1 200 OK\r\n"+hostile+": x\r\n\r\n")}, exitUnreachable, "h1: "},
		{"a length", []string{answer(t, "HTTP/1.1 200 OK\r\nContent-Length: "+hostileUTF8+"\r\n\r\n")}, exitUnreachable, "h1: "},
		{"a chunk", []string{answer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+hostile)}, exitUnreachable, "h1: "},
		{"a Location", []string{answer(t, "HTTP/1.1 302 Found\r\nLocation: "+hostileUTF8+hostileBytes+"\r\nContent-Length: 0\r\n\r\n")},
			exitUnreachable, `a redirect to "\u009b2J`},
		{"a long Location", []string{answer(t, "HTTP/1.1 302 Found\r\nLocation: /"+strings.Repeat("\x9b", 4000)+"\r\nContent-Length: 0\r\n\r\n")},
			exitUnreachable, "more bytes)"},
		{"a reason to close", []string{talk(4000, hostile)}, exitRefused, `\x1b[31m`},
		{"a refusal to switch", []string{strings.Replace(answer(t, "HTTP/1.1 403 "+hostileUTF8+"\r\nContent-Length: 0\r\n\r\n"), "http", "ws", 1)}, exitRefused, "403"},
		{"a subprotocol", []string{strings.Replace(answer(t, "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: "+hostileUTF8+"\r\n\r\n"), "http", "ws", 1),
			"--subprotocol", "chat"}, exitUnreachable, ""},
		{"GOAWAY", []string{"--http2", h2Answer(t, h2Frame(7, 0, "\x00\x00\x00\x00\x00\x00\x00\x02"+hostile))}, exitUnreachable, `\x1b[31m`},
		{"GOAWAY with more", []string{"--http2", h2Answer(t, h2Frame(7, 0, "\x00\x00\x00\x00\x00\x00\x00\x02"+strings.Repeat(hostileBytes, 500)))}, exitUnreachable, `\x9b\xff`},
		{"a frame of HTTP/2", []string{"--http2", h2Answer(t, h2Frame(1, 1, hostile))}, exitUnreachable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each waits for its retries
			r := run(append([]string{"fetch", "-v", "--timeout", "1500ms"}, c.args...)...)
			if r.status != c.status || !strings.Contains(r.err, c.says) {
				t.Errorf("status %d, want %d and %q\n%s", r.status, c.status, c.says, r.err)
			}
			clean(t, c.name, r.err)
		})
	}
}

// A redirect to a host with a hostile name: the name is in errors of dialling and TLS, and in the log of cookies.
func TestHostileHostOfARedirectIsEscaped(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		at := strings.TrimSuffix(strings.TrimPrefix(answer(t, "HTTP/1.1 302 Found\r\nLocation: "+scheme+"://"+hostileUTF8+":9/\r\nContent-Length: 0\r\n\r\n"), "http://"), "/")
		p := write(t, "p.json", `{"s":[{"get":{"endpoint":"127.0.0.1","port":`+port(at)+`,"protocol":"h1","allow_redirects":true,"http_cookies":true,"opportunistic":true}}]}`)
		r := run("fetch", "-v", "--policy", p, "--stream", "get", "--timeout", "5s")
		r.expect(t, exitUnreachable, `\u202e`)
		clean(t, scheme, r.err)
	}
}

// Text from the command line and from files is escaped too: both often have text from other sources.
func TestHostileCommandLineIsEscaped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.ReplaceAll(hostile, "/", ""))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	named := func(s string) string {
		return strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`, "\r", `\r`, "\n", `\n`, "\x7f", `\u007f`).Replace(s)
	}
	policy := filepath.Join(dir, "policy.json")
	doc := `{"s":[{"` + named(hostile) + `":{"endpoint":"127.0.0.1","port":1,"protocol":"h1","` + named(hostile) + `":1}}]}`
	if err := os.WriteFile(policy, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	good := write(t, "good.json", `{"s":[{"get":{"endpoint":"${host}","port":1,"protocol":"h1","metadata":[{"host":""}],"opportunistic":true}}]}`)
	for _, args := range [][]string{
		{hostile},
		{"help", hostile},
		{"version", hostile},
		{"version", "--" + hostile},
		{"policy", "check", policy},
		{"policy", "check", filepath.Join(dir, "none")},
		{"serve", "--policy", policy, "--stream", hostile, "--echo"},
		{"serve", "--policy", good, "--stream", hostile, "--echo"},
		{"serve", "--policy", good, "--stream", "get", "--echo", "--grace", hostile},
		{"fetch", hostile},
		{"fetch", hostile + "://x/"},
		{"fetch", "http://" + hostile + "/"},
		{"fetch", "http://" + hostileUTF8 + ".invalid/"},
		{"fetch", "http://127.0.0.1:1/" + hostile},
		{"fetch", "http://127.0.0.1:1/", "http://127.0.0.1:1/" + hostile, "--timeout", "100ms"},
		{"fetch", "http://127.0.0.1:1/", "-X", hostile},
		{"fetch", "http://127.0.0.1:1/", "-m", hostile + "=1"},
		{"fetch", "http://127.0.0.1:1/", "-m", "agent=" + hostile},
		{"fetch", "http://127.0.0.1:1/", "-o", filepath.Join(dir, "none", "x")},
		{"fetch", "https://127.0.0.1:1/", "--ca", filepath.Join(dir, "none")},
		{"fetch", "https://127.0.0.1:1/", "--client-cert", filepath.Join(dir, "none"), "--client-key", "x"},
		{"fetch", "http://127.0.0.1:1/", "--cookies", filepath.Join(dir, "none", "x")},
		{"fetch", "http://127.0.0.1:1/", "--data", "@" + filepath.Join(dir, "none")},
		{"fetch", "--policy", good, "--stream", hostile},
		{"fetch", "--policy", good, "--stream", "get", "--blob", hostile + "=1"},
		{"fetch", "--policy", good, "--stream", "get", "-m", "host=" + hostile},
		{"fetch", "--policy", good, "--stream", "get", "-m", "host=http://" + hostileUTF8 + "/", "--timeout", "300ms"},
		{"fetch", "--policy", good, "--stream", "get", "-m", "host=" + hostileUTF8 + "://x"},
		{"cert", "-o", filepath.Join(dir, "none"), hostile + ":"},
	} {
		if args[0] == "fetch" {
			args = append(args, "--timeout", "300ms")
		}
		r := run(args...)
		if r.status == exitOK {
			t.Errorf("millrace %+q: status 0, want a failure", args)
		}
		what := fmt.Sprintf("millrace %+q", args)
		clean(t, what, r.err)
		clean(t, what, r.out)
	}
}

// A client binds its end of a Unix socket to any name; the server's log and dump show it escaped.
func TestHostileNameOfAUnixPeerIsEscaped(t *testing.T) {
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "s")
	p := write(t, "p.json", `{"s":[{"tcp":{"server":true,"endpoint":"+`+at+`","protocol":"raw"}}]}`)
	s := serve(t, "--policy", p, "--stream", "tcp", "--echo", "-v")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, hostile)}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: at}); err != nil {
		t.Fatal(err)
	}
	poll(t, "the peer in log and dump", func() bool {
		s.signals <- syscall.SIGUSR1
		return strings.Count(s.err.String(), `\u202egpj.exe`) >= 2
	})
	clean(t, "log and dump", s.err.String())
}
