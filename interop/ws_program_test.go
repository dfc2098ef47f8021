package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// wsProgram is a program with both ends of WebSocket connections, as a wsPeer. It prints
//
//	{"ports": {"": 1, "tls": 2}}            its listening ports: the default, over TLS, "fresh" and "keep" if compression has
//	                                        ports of its own, and "h2" and "h2tls" for HTTP/2
//	{"n": 7, "over": true, "seen": {...}}   answers, in any order, to the lines of its input, which are
//	{"n": 7, "play": {...}}                 hold a conversation
//	{"n": 7, "saw": "client 5"}             report what the server received from this client
//
// and exits at the end of its input.
type wsProgram struct {
	t     *testing.T
	in    *os.File
	dir   string
	ports map[string]int
	mu    sync.Mutex
	n     int
	open  map[int]chan wsAnswer
	files map[string]string // message data
}

// wsAnswer is what the program prints.
type wsAnswer struct {
	N     int            `json:"n"`
	Over  bool           `json:"over"`
	Seen  wsSeen         `json:"seen"`
	Ports map[string]int `json:"ports"`
}

// newWSProgram starts a program.
func newWSProgram(t *testing.T, path string, args ...string) *wsProgram {
	t.Helper()
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &wsProgram{t: t, in: in, dir: t.TempDir(), open: map[int]chan wsAnswer{}, files: map[string]string{}}
	run := start(t, r, w, path, args...)
	r.Close()
	w.Close()
	t.Cleanup(func() {
		in.Close()
		if status := run.wait(); status != 0 {
			t.Errorf("%s: status %d\n%s", path, status, &run.err)
		}
		out.Close()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	first := make(chan wsAnswer, 1)
	go func() {
		for n := 0; lines.Scan(); n++ {
			var a wsAnswer
			if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
				a.Seen.Error = fmt.Sprintf("%s printed %.200q: %v", path, lines.Text(), err)
			}
			if n == 0 {
				first <- a
				continue
			}
			p.mu.Lock()
			c := p.open[a.N]
			delete(p.open, a.N)
			p.mu.Unlock()
			if c != nil {
				c <- a
			}
		}
	}()
	select {
	case a := <-first:
		if p.ports = a.Ports; p.ports == nil {
			t.Fatalf("%s printed no ports: %+v", path, a)
		}
	case <-run.over:
		t.Fatalf("%s exited at once: %v\n%s", path, run.status, &run.err)
	case <-time.After(patience):
		t.Fatalf("%s printed no ports within %v\n%s", path, patience, &run.err)
	}
	return p
}

// ask writes a line, and returns the answer.
func (p *wsProgram) ask(what string, about any) wsAnswer {
	c := make(chan wsAnswer, 1)
	p.mu.Lock()
	p.n++
	n := p.n
	p.open[n] = c
	line, err := json.Marshal(map[string]any{"n": n, what: about})
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		return wsAnswer{Seen: wsSeen{Error: err.Error()}}
	}
	select {
	case a := <-c:
		return a
	case <-time.After(patience):
		return wsAnswer{Seen: wsSeen{Error: fmt.Sprintf("the program did not answer %s within %v", line, patience)}}
	}
}

// at implements wsPeer.
func (p *wsProgram) at(c *wsConversation) string {
	port := p.ports[c.deflate]
	switch {
	case c.h2 && c.secure:
		port = p.ports["h2tls"]
	case c.h2:
		port = p.ports["h2"]
	case c.secure:
		port = p.ports["tls"]
	case port == 0:
		port = p.ports[""]
	}
	if port == 0 {
		return ""
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

// saw implements wsPeer.
func (p *wsProgram) saw(id string) (wsSeen, bool) {
	a := p.ask("saw", id)
	return a.Seen, a.Over
}

// play implements wsPeer.
func (p *wsProgram) play(url string, c *wsConversation) wsSeen {
	type saying struct {
		Kind string `json:"kind"`
		File string `json:"file"`
		Cuts []int  `json:"cuts"`
	}
	say := make([]saying, len(c.say))
	for i, s := range c.say {
		name, err := p.file(s.data)
		if err != nil {
			return wsSeen{Error: err.Error()}
		}
		say[i] = saying{s.kind, name, s.cuts}
	}
	code := c.code
	if code == 0 {
		code = 1000
	}
	return p.ask("play", map[string]any{"url": url, "say": say, "deflate": c.deflate, "offered": c.offered, "origin": c.origin, "said": c.said,
		"h2": c.h2, "byServer": c.byServer, "code": code, "reason": c.reason}).Seen
}

// file returns the name of a file that contains data.
func (p *wsProgram) file(data string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := p.files[data]
	if name == "" {
		name = filepath.Join(p.dir, strconv.Itoa(len(p.files)))
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			return "", err
		}
		p.files[data] = name
	}
	return name, nil
}

// lacking ends the test if a requirement is missing: it skips the test, or fails it in CI.
func lacking(t *testing.T, what string) {
	t.Helper()
	switch {
	case what == "":
	case os.Getenv("CI") == "true":
		t.Fatal(what)
	default:
		t.Skip(what)
	}
}

// nodePackages is where Debian installs node packages.
const nodePackages = "/usr/share/nodejs"

// hasWSNode returns what is missing for the npm package ws, "" if nothing.
func hasWSNode() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is not installed: apt-get install nodejs"
	}
	if _, err := os.Stat(filepath.Join(nodePackages, "ws")); err != nil {
		return "node's package ws is not installed: apt-get install node-ws"
	}
	return ""
}

// newWSNode starts the npm package ws.
func newWSNode(t *testing.T, keys *wsTLS) *wsProgram {
	t.Helper()
	lacking(t, hasWSNode())
	return newWSProgram(t, "node", "testdata/ws.mjs", filepath.Join(nodePackages, "ws"), keys.leaf.pem, keys.leaf.pkey, keys.ca.pem)
}

// systemPython is the interpreter that finds Debian's packages.
const systemPython = "/usr/bin/python3"

// hasWSPython returns what is missing for Python's package websockets, "" if nothing.
func hasWSPython() string {
	if err := exec.Command(systemPython, "-c", "import websockets").Run(); err != nil {
		return systemPython + " has no websockets: apt-get install python3-websockets"
	}
	return ""
}

// newWSPython starts Python's package websockets.
func newWSPython(t *testing.T, keys *wsTLS) *wsProgram {
	t.Helper()
	lacking(t, hasWSPython())
	return newWSProgram(t, systemPython, "testdata/websockets.py", keys.leaf.pem, keys.leaf.pkey, keys.ca.pem)
}

func TestWebSocketNode(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	converse(t, keys, newWSNode(t, keys), map[string]string{
		"client: subprotocol not served": "where it offers one it drops a server that selects none",
	})
}

// The same over HTTP/2 streams (RFC 8441), where the peer's HTTP/2 is nghttp2.
func TestWebSocketNodeOverHTTP2(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	converseOver(t, keys, newWSNode(t, keys), true, map[string]string{
		"client: subprotocol not served": "our servers of HTTP/2 serve it",
	})
}

func TestWebSocketNodeCompressed(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	compresses(t, keys, newWSNode(t, keys), "fresh", "keep")
}

func TestWebSocketPython(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	converse(t, keys, newWSPython(t, keys), map[string]string{
		"client: client closes with 1005": "it always sends a code",
		"server: server closes with 1005": "it always sends a code",
	})
}

func TestWebSocketPythonCompressed(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	compresses(t, keys, newWSPython(t, keys), "fresh", "keep")
}
