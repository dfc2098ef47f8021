package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// wsPeer is a server of WebSockets by hand: it does the handshake with everybody, one after another, and leaves the rest
// to talk, whose bytes are frames. It returns the URL.
func wsPeer(t *testing.T, talk func(c net.Conn, r *bufio.Reader)) string {
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
			r := bufio.NewReader(c)
			if q, err := http.ReadRequest(r); err == nil {
				sum := sha1.Sum([]byte(q.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
					base64.StdEncoding.EncodeToString(sum[:]))
				talk(c, r)
			}
			c.Close()
		}
	}()
	return "ws://" + l.Addr().String() + "/"
}

// wsFrame is a frame as a server sends it.
func wsFrame(first byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{first, byte(n)}) + payload
	case n < 1<<16:
		return string(binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))) + payload
	default:
		return string(binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))) + payload
	}
}

func wsClose(code uint16, reason string) string {
	return wsFrame(0x88, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// readFrame reads a frame of a client's.
func readFrame(r *bufio.Reader) (first byte, payload string, err error) {
	var h [2]byte
	if _, err = io.ReadFull(r, h[:]); err != nil {
		return 0, "", err
	}
	n, size := uint64(h[1]&0x7f), 0
	switch n {
	case 126:
		size = 2
	case 127:
		size = 8
	}
	if size > 0 {
		var b [8]byte
		if _, err = io.ReadFull(r, b[8-size:]); err != nil {
			return 0, "", err
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	p := make([]byte, 4+n)
	if _, err = io.ReadFull(r, p); err != nil {
		return 0, "", err
	}
	for i := range p[4:] {
		p[4+i] ^= p[i%4]
	}
	return h[0], string(p[4:]), nil
}

// readMessage reads frames up to the end of a message or a control frame, and returns what they are and carry.
func readMessage(r *bufio.Reader) (op byte, text string, err error) {
	for {
		first, p, err := readFrame(r)
		if err != nil {
			return 0, "", err
		}
		if first&0xf != 0 {
			op = first & 0xf
		}
		if text += p; first&0x80 != 0 {
			return op, text, nil
		}
	}
}

// readClose reads up to a Close frame. Whoever has sent one as well then ends the connection (RFC 6455 s.7.1.1).
func readClose(t *testing.T, r *bufio.Reader) {
	for {
		op, _, err := readMessage(r)
		if err != nil {
			t.Errorf("before a Close frame: %v", err)
		}
		if err != nil || op == 8 {
			return
		}
	}
}

const wsEchoPolicy = `
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", "ws_subprotocol": "chat, log"}},
	{"tls": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", "ws_subprotocol": "chat, log", LAB}}`

// TestFetchWSLines: lines there and back, in the clear and over TLS, on both protocols, until the input ends.
func TestFetchWSLines(t *testing.T) {
	l := makeTestCA(t, "127.0.0.1")
	ca, doc := caFile(t, l), caPolicy(t, l, wsEchoPolicy)
	clear := serve(t, "--policy", doc, "--stream", "web", "--echo")
	secure := serve(t, "--policy", doc, "--stream", "tls", "--echo")
	in := "one\n\ntwo\r\n" + strings.Repeat("é", 100_000) + "\nlast"
	for _, args := range [][]string{
		{"ws://" + clear.at + "/x?y"}, {"ws://" + clear.at, "--http2"}, {"ws://" + clear.at, "-"}, {"ws://" + clear.at, "--data", "-"},
		{"wss://" + secure.at + "/x", "--ca", ca}, {"wss://" + secure.at + "/x", "--ca", ca, "--http2"},
	} {
		r := runWith(strings.NewReader(in), append([]string{"fetch", "-v", "--subprotocol", "log,chat"}, args...)...)
		status := "status=101"
		if strings.Contains(strings.Join(args, " "), "--http2") {
			status = "status=200"
		}
		r.expect(t, exitOK, "protocol=ws", status, "subprotocol=log", "closed by the peer: 1000 normal closure")
		if want := strings.ReplaceAll(in, "\r", "") + "\n"; r.out != want {
			t.Errorf("%q: %d bytes came back, want %d", args, len(r.out), len(want))
		}
	}
	run("fetch", "wss://"+secure.at).expect(t, exitUnreachable, "trust store of the system")
	run("fetch", "ws://"+clear.at, "--subprotocol", "other").expect(t, exitRefused, "refused by the peer: http status 400")
	run("fetch", "ws://"+clear.at).expect(t, exitOK)
}

// TestFetchWSPolicy checks that WebSockets of a policy behave like those of a URL.
func TestFetchWSPolicy(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "web", "--echo")
	doc := write(t, "c.json", fmt.Sprintf(`{"s":[
		{"text":{"endpoint":"127.0.0.1","port":%s,"protocol":"ws","opportunistic":true,"ws_over_h2":true}},
		{"binary":{"endpoint":"127.0.0.1","port":%[1]s,"protocol":"ws","opportunistic":true,"ws_binary":true}}]}`, port(s.at)))
	for _, c := range []struct {
		args []string
		out  string
	}{
		{[]string{"text"}, "a\nb\n"},
		{[]string{"text", "-"}, "a\nb\n"},
		{[]string{"binary"}, "61\n62\n"},
		{[]string{"binary", "--raw"}, "ab"},
		{[]string{"text", "--data", "a b"}, "a b\n"},
		{[]string{"text", "--data", "@-"}, "a\nb\n"},
		{[]string{"binary", "--data", "@-"}, "610a62\n"},
		{[]string{"text", "--data", "a b", "--bytes", "2"}, "a "},
		{[]string{"text", "--data", "a b", "--send"}, ""},
	} {
		r := runWith(strings.NewReader("a\nb"), append([]string{"fetch", "--policy", doc, "--stream"}, c.args...)...)
		if r.status != exitOK || r.out != c.out {
			t.Errorf("%q: status %d, %q, want %q\n%s", c.args, r.status, r.out, c.out, r.err)
		}
	}
}

// TestFetchWSTalks checks a dialogue in which each side waits for the other: no message is delayed.
func TestFetchWSTalks(t *testing.T) {
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		for i := range 3 {
			io.WriteString(c, wsFrame(0x89, "are you there?")+wsFrame(0x81, fmt.Sprint("question ", i)))
			for _, want := range []struct {
				op   byte
				text string
			}{{10, "are you there?"}, {1, fmt.Sprint("answer ", i)}} {
				if op, text, err := readMessage(r); err != nil || op != want.op || text != want.text {
					t.Errorf("frame %d %q, %v, want %d %q", op, text, err, want.op, want.text)
				}
			}
		}
		op, text, err := readMessage(r)
		if err != nil || op != 8 || text != "\x03\xe8" {
			t.Errorf("frame %d %q, %v, want a Close frame with 1000", op, text, err)
		}
		// Messages before the peer's Close frame are still received.
		io.WriteString(c, wsFrame(0x81, "one more thing")+wsFrame(0x01, "and ")+wsFrame(0x80, "another")+wsClose(1000, ""))
	})
	stdin, keys := io.Pipe()
	var out, errs text
	a := &app{in: stdin, out: &out, err: &errs, signals: make(chan os.Signal)}
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", url, "-v"}) }()
	for i := range 3 {
		poll(t, "a question", func() bool { return strings.HasSuffix(out.String(), fmt.Sprintf("question %d\n", i)) })
		fmt.Fprintf(keys, "answer %d\n", i)
	}
	keys.Close()
	if status := <-over; status != exitOK {
		t.Errorf("status %d\n%s", status, &errs)
	}
	if want := "question 0\nquestion 1\nquestion 2\none more thing\nand another\n"; out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
	if strings.Contains(errs.String(), "there?") {
		t.Errorf("the log has pings:\n%s", &errs)
	}
}

// TestFetchWSEnds checks the exit status for each end of the peer.
func TestFetchWSEnds(t *testing.T) {
	for _, c := range []struct {
		bytes  string
		status int
		parts  []string
	}{
		{wsClose(1000, "done"), exitOK, nil},
		{wsClose(1001, ""), exitOK, nil},
		{wsFrame(0x88, ""), exitOK, nil},
		{wsClose(1008, "members only"), exitRefused, []string{`refused by the peer: ws: closed by the peer: 1008 policy violation: "members only"`}},
		{wsClose(1011, ""), exitRefused, []string{"1011 internal error"}},
		{wsClose(4000, "bye"), exitRefused, []string{`4000: "bye"`}},
		{"", exitUnreachable, []string{"ended before the payload was complete"}},
		{wsFrame(0x81, "\xff"), exitUnreachable, []string{"ended before the payload was complete", "UTF-8"}},
		{wsFrame(0x01, "half") + wsClose(1000, ""), exitUnreachable, []string{"ended before the payload was complete"}},
	} {
		url := wsPeer(t, func(conn net.Conn, r *bufio.Reader) {
			io.WriteString(conn, wsFrame(0x81, "hello")+c.bytes)
			if c.bytes != "" {
				readClose(t, r)
			}
		})
		never, w := io.Pipe()
		r := runWith(never, "fetch", url)
		r.expect(t, c.status, c.parts...)
		if !strings.HasPrefix(r.out, "hello\n") {
			t.Errorf("%q: printed %q", c.bytes, r.out)
		}
		w.Close()
	}
}

// TestFetchWSAnswered checks that the code of the peer's answer to Close counts too.
func TestFetchWSAnswered(t *testing.T) {
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		readClose(t, r)
		io.WriteString(c, wsFrame(0x81, "no")+wsClose(1008, "incomplete"))
	})
	r := runWith(strings.NewReader("half\n"), "fetch", url)
	if r.expect(t, exitRefused, `1008 policy violation: "incomplete"`); r.out != "no\n" {
		t.Errorf("printed %q", r.out)
	}
}

// TestFetchWSRefused checks that a refused handshake is reported with its status, without a retry unless it is 429 or 503.
func TestFetchWSRefused(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		code := 501
		fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.WriteHeader(code)
	}))
	defer s.Close()
	at := "ws" + strings.TrimPrefix(s.URL, "http")
	for _, c := range []struct {
		path          string
		status, tries int
		part          string
	}{
		{"", exitRefused, 1, "refused by the peer: http status 501"},
		{"/404", exitRefused, 1, "http status 404"},
		{"/200", exitRefused, 1, "http status 200"},
		{"/503", exitUnreachable, 3, "http status 503"},
	} {
		asked.Store(0)
		never, w := io.Pipe()
		runWith(never, "fetch", at+c.path).expect(t, c.status, c.part)
		if n := int(asked.Load()); n != c.tries {
			t.Errorf("%s: got %d handshakes, want %d", c.path, n, c.tries)
		}
		w.Close()
	}
	plain := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--echo")
	run("fetch", "ws://"+plain.at).expect(t, exitRefused, "http status ")
	h2 := serve(t, "--policy", write(t, "p2.json", `{"s":[{"h2":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h2"}}]}`), "--stream", "h2", "--echo")
	run("fetch", "--http2", "ws://"+h2.at).expect(t, exitRefused, "http status 501")
}

// TestFetchWSData checks one message and its answer, the first message that starts after it.
func TestFetchWSData(t *testing.T) {
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		io.WriteString(c, wsFrame(0x81, "welcome")+wsFrame(0x01, "you "))
		op, text, err := readMessage(r)
		if err != nil || op == 8 {
			t.Errorf("%d %q, %v, want a message", op, text, err)
		}
		io.WriteString(c, wsFrame(0x80, "there")+wsFrame(0x02, strings.ToUpper(text))+wsFrame(0x80, "!")+wsFrame(0x81, "not printed"))
		if op, text, err := readMessage(r); err != nil || op != 8 || text != "\x03\xe8" {
			t.Errorf("%d %q, %v, want a Close frame with 1000", op, text, err)
		}
		io.WriteString(c, wsClose(1000, ""))
	})
	for _, c := range []struct{ args, greeting, out string }{
		{"", "welcome\nyou ", "welcome\nyou there\n48454c4c4f21\n"},
		{"--binary --raw", "welcomeyou ", "welcomeyou thereHELLO!"},
	} {
		var out, errs text
		stdin, keys := io.Pipe()
		a := &app{in: stdin, out: &out, err: &errs, signals: make(chan os.Signal)}
		over := make(chan int, 1)
		go func() { over <- a.run(append([]string{"fetch", url, "--data", "@-"}, strings.Fields(c.args)...)) }()
		poll(t, "the greeting", func() bool { return out.String() == c.greeting })
		io.WriteString(keys, "hello")
		keys.Close()
		if status := <-over; status != exitOK || out.String() != c.out {
			t.Errorf("%s: status %d, %q, want %q\n%s", c.args, status, &out, c.out, &errs)
		}
	}
}

// TestFetchWSNoClose checks that --no-close continues after the end of the input.
func TestFetchWSNoClose(t *testing.T) {
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		if op, text, err := readMessage(r); err != nil || op != 1 || text != "all" {
			t.Errorf("%d %q, %v, want the line", op, text, err)
		}
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if b, err := r.ReadByte(); err == nil {
			t.Errorf("got %#x, want no further bytes", b)
		}
		io.WriteString(c, wsFrame(0x81, "good")+wsClose(1001, ""))
	})
	if r := runWith(strings.NewReader("all\n"), "fetch", url, "--no-close"); r.status != exitOK || r.out != "good\n" {
		t.Errorf("status %d, %q\n%s", r.status, r.out, r.err)
	}
}

// TestFetchWSText checks that invalid UTF-8 is not sent as text.
func TestFetchWSText(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "pure", "--echo")
	url := "ws://" + s.at
	for _, args := range [][]string{{}, {"--data", "@-"}, {"--data", "\xff"}} {
		r := runWith(strings.NewReader("good\n\xc3\x28\nnot reached\n"), append([]string{"fetch", url}, args...)...)
		r.expect(t, exitLocal, "not UTF-8", "--binary")
	}
	r := runWith(strings.NewReader("good\n\xc3\x28\n"), "fetch", url, "--binary")
	if r.status != exitOK || r.out != "676f6f64\nc328\n" {
		t.Errorf("status %d, %q\n%s", r.status, r.out, r.err)
	}
}

// TestFetchWSLong checks that lines and messages longer than any buffer are passed on as they arrive.
func TestFetchWSLong(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "web", "--echo")
	line := strings.Repeat("0123456789abcdef", 20<<20/16)
	for _, args := range [][]string{{}, {"--http2"}} {
		r := runWith(strings.NewReader(line+"\nshort\n"), append([]string{"fetch", "ws://" + s.at}, args...)...)
		if r.status != exitOK || r.out != line+"\nshort\n" {
			t.Errorf("%q: status %d and %d bytes, want %d\n%s", args, r.status, len(r.out), len(line)+7, r.err)
		}
	}
	halves := make(chan struct{})
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		whole := wsFrame(0x81, line)
		io.WriteString(c, whole[:len(whole)/2])
		<-halves
		io.WriteString(c, whole[len(whole)/2:]+wsClose(1000, ""))
		readClose(t, r)
	})
	never, w := io.Pipe()
	defer w.Close()
	var out countingText
	a := &app{in: never, out: &out, err: io.Discard, signals: make(chan os.Signal)}
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", url}) }()
	poll(t, "half of the message", func() bool { return out.n.Load() >= int64(len(line)/2-100) })
	close(halves)
	if status := <-over; status != exitOK || out.n.Load() != int64(len(line)+1) {
		t.Errorf("status %d and %d bytes, want %d", status, out.n.Load(), len(line)+1)
	}
}

// countingText is an output that counts its bytes.
type countingText struct{ n atomic.Int64 }

func (c *countingText) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// endless is an endless input that counts the bytes read.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte("line\n"), len(p)/5+1))
	e.n.Add(int64(len(p)))
	return len(p), nil
}

// TestFetchWSBounded checks that a peer that does not read stops the input after the bytes that sockets buffer.
func TestFetchWSBounded(t *testing.T) {
	in := &endless{}
	url := wsPeer(t, func(c net.Conn, r *bufio.Reader) {
		for was := int64(0); was == 0 || was != in.n.Load(); time.Sleep(100 * time.Millisecond) {
			was = in.n.Load()
		}
	})
	runWith(in, "fetch", url).expect(t, exitUnreachable)
	// Linux lets a socket grow to 4 MiB for sending and 6 MiB for receiving; a frame of this line has twice its length.
	if n := in.n.Load(); n > 16<<20 {
		t.Errorf("%d bytes were read for a peer that does not read", n)
	}
}

// TestFetchWSUsage checks invalid command lines.
func TestFetchWSUsage(t *testing.T) {
	doc := write(t, "c.json", `{"s":[{"ws":{"endpoint":"127.0.0.1","port":1,"protocol":"ws"}},{"get":{"endpoint":"127.0.0.1","port":1}}]}`)
	for _, c := range []struct {
		args []string
		part string
	}{
		{[]string{"ws://h", "http://h"}, "cannot be mixed"},
		{[]string{"http://h", "ws://h"}, "cannot be mixed"},
		{[]string{"http://h", "-"}, "--data @-"},
		{[]string{"http://h", "--raw"}, "are for WebSockets"},
		{[]string{"http://h", "--no-close"}, "are for WebSockets"},
		{[]string{"http://h", "--binary"}, "are for WebSockets"},
		{[]string{"http://h", "--subprotocol", "x"}, "are for WebSockets"},
		{[]string{"ws://h", "--subprotocol", "x y"}, "token"},
		{[]string{"ws://h", "-X", "GET"}, "no method"},
		{[]string{"ws://h", "--ca", doc}, "--ca is for https and wss"},
		{[]string{"ws://h", "-", "--data", "x"}, "use one of them"},
		{[]string{"ws://h", "ws://h"}, "read only once"},
		{[]string{"ws://h", "-m", "mime=x"}, "mime"},
		{[]string{"wsx://h"}, "ws or wss"},
		{[]string{"-", "--policy", doc, "--stream", "get"}, "--data @-"},
		{[]string{"--policy", doc, "--stream", "ws", "--binary"}, `"ws_binary"`},
		{[]string{"--policy", doc, "--stream", "ws", "--subprotocol", "x"}, `"ws_subprotocol"`},
	} {
		run(append([]string{"fetch"}, c.args...)...).expect(t, exitUsage, c.part)
	}
}
