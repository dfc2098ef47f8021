package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fuzzer is a server with three cases, that makes and reads its frames by itself.
type fuzzer struct {
	paths, verdicts []string
}

// frame reads one of the client's.
func frame(r *bufio.Reader) (bits byte, payload string, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	n := uint64(head[1] & 0x7f)
	if n >= 126 {
		b := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
		if _, err = io.ReadFull(r, b); err != nil {
			return 0, "", err
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(b)), b...))
	}
	b := make([]byte, 4+n)
	if _, err = io.ReadFull(r, b); err != nil || head[1]&0x80 == 0 {
		return 0, "", fmt.Errorf("a frame that is not masked, or not whole: %v", err)
	}
	for i := range b[4:] {
		b[4+i] ^= b[i&3]
	}
	return head[0], string(b[4:]), nil
}

// hear reads frames until the client's Close frame, and says what they were: a line a message or control frame.
func hear(r *bufio.Reader, answered func()) (list []string) {
	message := ""
	for {
		bits, payload, err := frame(r)
		switch {
		case err != nil:
			return append(list, err.Error())
		case bits == 0x88:
			return append(list, fmt.Sprintf("close %d", binary.BigEndian.Uint16([]byte(payload))))
		case bits == 0x8a:
			list = append(list, "pong "+payload)
			continue
		case bits&15 != 0:
			message = map[byte]string{1: "text ", 2: "binary "}[bits&15]
		}
		if message += payload; bits&0x80 != 0 {
			list = append(list, message)
			answered()
		}
	}
}

func (f *fuzzer) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	path, key := "", ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if p, ok := strings.CutPrefix(line, "GET "); ok {
			path, _, _ = strings.Cut(p, " ")
		}
		if k, v, _ := strings.Cut(line, ": "); strings.EqualFold(k, "Sec-WebSocket-Key") {
			key = v
		}
	}
	f.paths = append(f.paths, path)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	const bye = "\x88\x02\x03\xe8"
	send := map[string]string{
		"/getCaseCount":                  "\x81\x013" + bye,
		"/runCase?case=1&agent=millrace": "\x81\x05hello",
		"/runCase?case=2&agent=millrace": "\x02\x03one\x89\x04ping\x80\x03two",
		"/runCase?case=3&agent=millrace": "\x81\x02\xff\xff",
	}[path]
	if send == "" {
		send = bye
	}
	io.WriteString(c, send)
	heard := hear(r, func() { io.WriteString(c, bye) })
	f.verdicts = append(f.verdicts, strings.Join(heard, ", "))
}

// TestRunsTheCases: each case has a connection with its own number in the path, which policy and metadata make; the
// echo is whole; what breaks the protocol is refused; in the end the report is asked for.
func TestRunsTheCases(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, over := new(fuzzer), make(chan bool)
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.serve(c) // one after another
		}
	}()
	bin := filepath.Join(t.TempDir(), "conform")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	doc, err := os.ReadFile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policy.json")
	port := fmt.Sprintf(`"port": %d`, l.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(doc), `"port": 9001`, port)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, file).CombinedOutput()
	if err != nil || string(out) != "3 cases; the report is the server's\n" {
		t.Errorf("it printed %q, %v", out, err)
	}
	l.Close()
	<-over
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"paths", f.paths, []string{"/getCaseCount", "/runCase?case=1&agent=millrace", "/runCase?case=2&agent=millrace",
			"/runCase?case=3&agent=millrace", "/updateReports?agent=millrace"}},
		{"what the server heard", f.verdicts, []string{"close 1000", "text hello, close 1000", "pong ping, binary onetwo, close 1000", "close 1007", "close 1000"}},
	} {
		if fmt.Sprintf("%q", c.got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
}
