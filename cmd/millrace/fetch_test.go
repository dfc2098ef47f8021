package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// clientPolicy has client stream types for a server at port.
func clientPolicy(t *testing.T, port string) string {
	return write(t, "client.json", strings.ReplaceAll(`{
	"retry": [{"quick": {"backoff": [20, 40], "conceal": 2, "jitterpc": 0}}],
	"s": [
		{"get":  {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_url": "${path}", "opportunistic": true, "retry": "quick",
		          "metadata": [{"path": ""}, {"tag": "x-tag:"}]}},
		{"post": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_method": "POST", "opportunistic": true, "retry": "quick"}},
		{"nailed": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "nailed_up": true, "retry": "quick"}},
		{"hasty": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "timeout_ms": 50}},
		{"tcp":  {"endpoint": "127.0.0.1", "port": PORT, "protocol": "raw", "opportunistic": true, "retry": "quick"}}]}`, "PORT", port))
}

// web is a server of net/http's that shows what it was asked.
func web(t *testing.T) (at string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s length %d tag %q type %q: %s", r.Method, r.URL, r.ContentLength, r.Header.Get("X-Tag"),
			r.Header.Get("Content-Type"), body)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no such thing", 404) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", 301) })
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "part")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestFetchURL(t *testing.T) {
	at := web(t)
	url := "http://" + at
	file := write(t, "data", "from a file")
	for _, c := range []struct {
		args   []string
		status int
		out    string
	}{
		{[]string{url}, exitOK, `GET / length 0 tag "" type "": `},
		{[]string{url + "/a/b?c=d#fragment"}, exitOK, `GET /a/b?c=d length 0 tag "" type "": `},
		{[]string{url + "?q"}, exitOK, `GET /?q length 0 tag "" type "": `},
		{[]string{"-X", "delete", url}, exitOK, `DELETE / length 0 tag "" type "": `},
		{[]string{"-X", "HEAD", url}, exitOK, ""},
		{[]string{"-X", "POST", url}, exitOK, `POST / length 0 tag "" type "": `},
		{[]string{url, "--data", "text", "-m", "mime=text/x"}, exitOK, `POST / length 4 tag "" type "text/x": text`},
		{[]string{url, "--data", ""}, exitOK, `POST / length 0 tag "" type "": `},
		{[]string{url, "-X", "PUT", "--data", "@" + file}, exitOK, `PUT / length 11 tag "" type "": from a file`},
		{[]string{url, "--data", "@-"}, exitOK, `POST / length -1 tag "" type "": from a pipe`},
		{[]string{url + "/no"}, exitRefused, "no such thing\n"},
		{[]string{url + "/cut"}, exitUnreachable, "part"},
		{[]string{url + "/hang", "--timeout", "100ms"}, exitUnreachable, ""},
	} {
		r := runWith(strings.NewReader("from a pipe"), append([]string{"fetch"}, c.args...)...)
		if r.status != c.status || r.out != c.out {
			t.Errorf("millrace fetch %q: status %d and %q, want %d and %q\n%s", c.args, r.status, r.out, c.status, c.out, r.err)
		}
	}
	run("fetch", url+"/no").expect(t, exitRefused, "refused by the peer (nack)")
	run("fetch", url+"/cut").expect(t, exitUnreachable, "ended before the payload was complete")
	run("fetch", url+"/hang", "--timeout", "50ms").expect(t, exitUnreachable, "timed out")
	run("fetch", url+"/moved").expect(t, exitUnreachable, "redirect")
}

func TestFetchPolicy(t *testing.T) {
	at := web(t)
	p := clientPolicy(t, port(at))
	run("fetch", "--policy", p, "--stream", "get", "-m", "path=x/y", "-m", "tag=17").
		expect(t, exitOK, `GET /x/y length 0 tag "17"`)
	run("fetch", "--policy", p, "--stream", "nailed").expect(t, exitOK, `GET / length 0`)
	out := filepath.Join(t.TempDir(), "out")
	r := run("fetch", "--policy", p, "--stream", "post", "--data", "kept", "-o", out)
	b, err := os.ReadFile(out)
	if r.status != exitOK || err != nil || r.out != "" || !strings.HasSuffix(string(b), ": kept") {
		t.Errorf("with -o: status %d, %q on standard output, %q in the file (%v); want the payload in the file", r.status, r.out, b, err)
	}
}

// With -v standard error shows the states under their reference names, and why.
func TestFetchVerbose(t *testing.T) {
	r := run("fetch", "--policy", clientPolicy(t, "1"), "--stream", "get", "-v")
	r.expect(t, exitUnreachable, "unreachable: wsi: dial: 127.0.0.1:1: connect", `cause="wsi: dial: 127.0.0.1:1: connect`)
	var got []string
	for line := range strings.Lines(r.err) {
		if _, msg, ok := strings.Cut(line, "msg=LWSSSCS_"); ok {
			got = append(got, msg[:strings.IndexByte(msg, ' ')])
		}
	}
	want := "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("states\n got %s\nwant %s", s, want)
	}
}

// A timeout of the policy's counts where the command line has none.
func TestFetchPolicyTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run("fetch", "--policy", clientPolicy(t, port(l.Addr().String())), "--stream", "hasty").expect(t, exitUnreachable, "timed out")
}

func TestFetchRaw(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--echo")
	p := clientPolicy(t, port(s.at))
	big := pattern(3<<20, 11)
	file := write(t, "data", string(big))
	r := run("fetch", "--policy", p, "--stream", "tcp", "--data", "@"+file, "--bytes", fmt.Sprint(len(big)))
	if r.status != exitOK || r.out != string(big) {
		t.Errorf("status %d and %d bytes, want 0 and the %d that were sent\n%s", r.status, len(r.out), len(big), r.err)
	}
	r = runWith(bytes.NewReader(big), "fetch", "--policy", p, "--stream", "tcp", "--data", "@-", "--bytes", "1000")
	if r.status != exitOK || r.out != string(big[:1000]) {
		t.Errorf("--bytes 1000: status %d and %d bytes, want 0 and the first 1000\n%s", r.status, len(r.out), r.err)
	}

	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	taken := make(chan []byte, 1)
	go func() {
		c, err := sink.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		taken <- b
	}()
	r = run("fetch", "--policy", clientPolicy(t, port(sink.Addr().String())), "--stream", "tcp", "--data", "@"+file, "--send")
	if b := <-taken; r.status != exitOK || !bytes.Equal(b, big) {
		t.Errorf("--send: status %d, and the peer got %d bytes; want 0 and all %d\n%s", r.status, len(b), len(big), r.err)
	}

	greeter := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--reply", "welcome")
	p = clientPolicy(t, port(greeter.at))
	r = run("fetch", "--policy", p, "--stream", "tcp")
	if r.status != exitOK || r.out != "welcome" {
		t.Errorf("until the peer closes: status %d and %q, want 0 and \"welcome\"\n%s", r.status, r.out, r.err)
	}
	run("fetch", "--policy", p, "--stream", "tcp", "--bytes", "100").expect(t, exitUnreachable, "ended before the payload was complete")
}

// slow is an output that takes its time at first.
type slow struct {
	release chan struct{}
	got     bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.release
	return s.got.Write(p)
}

// An output that does not take payload stops the server by flow control, and nothing is lost.
func TestFetchSlowOutput(t *testing.T) {
	const total = 64 << 20
	piece := pattern(1<<20, 13)
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for sent.Load() < total {
			n, err := w.Write(piece)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer s.Close()
	out := &slow{release: make(chan struct{})}
	var errs text
	a := &app{in: strings.NewReader(""), out: out, err: &errs, signals: make(chan os.Signal)}
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", s.URL}) }()
	// The server's writes come to a halt, well before the end.
	last, still := int64(-1), 0
	poll(t, "the server to be stopped", func() bool {
		if now := sent.Load(); now != last || now == 0 {
			last, still = now, 0
		} else {
			still++
		}
		return still == 100
	})
	if last >= total {
		t.Errorf("the server could send all %d bytes although the output takes none", last)
	}
	close(out.release)
	if status := <-over; status != exitOK || !bytes.Equal(out.got.Bytes(), bytes.Repeat(piece, total>>20)) {
		t.Errorf("status %d and %d bytes, want 0 and %d as they were sent\n%s", status, out.got.Len(), total, &errs)
	}
}

// broken is an output that has gone away.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// broken input fails after its first bytes.
type brokenInput struct{ begun bool }

func (b *brokenInput) Read(p []byte) (int, error) {
	if b.begun {
		return 0, errors.New("the disk is on fire")
	}
	b.begun = true
	return copy(p, "first bytes"), nil
}

func TestFetchLocalTrouble(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--file", write(t, "f", strings.Repeat("x", 8<<20)))
	var errs text
	a := &app{in: strings.NewReader(""), out: broken{}, err: &errs, signals: make(chan os.Signal)}
	if status := a.run([]string{"fetch", "http://" + s.at}); status != exitLocal || !strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("an output that fails: status %d, want %d and the reason\n%s", status, exitLocal, &errs)
	}
	runWith(&brokenInput{}, "fetch", "http://"+web(t)+"/echo", "--data", "@-").
		expect(t, exitLocal, "the disk is on fire")
}

// What came from a pipe cannot be sent again: the stream does not try.
func TestFetchPipeIsSentOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1000)) // the head, and some payload
			c.Close()
		}
	}()
	p := clientPolicy(t, port(l.Addr().String()))
	runWith(strings.NewReader(strings.Repeat("x", 1<<20)), "fetch", "--policy", p, "--stream", "post", "--data", "@-").
		expect(t, exitUnreachable, "cannot be sent again")
	file := write(t, "data", strings.Repeat("x", 1<<20))
	r := run("fetch", "--policy", p, "--stream", "post", "--data", "@"+file, "-v")
	if got := strings.Count(r.err, "LWSSSCS_CONNECTING"); r.status != exitUnreachable || got != 3 {
		t.Errorf("from a file: status %d after %d attempts, want %d after 3\n%s", r.status, got, exitUnreachable, r.err)
	}
}

func TestFetchInterrupted(t *testing.T) {
	var errs text
	signals := make(chan os.Signal, 1)
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, signals: signals}
	at := web(t)
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", "http://" + at + "/hang", "-v"}) }()
	poll(t, "an attempt", func() bool { return strings.Contains(errs.String(), "LWSSSCS_CONNECTING") })
	signals <- os.Interrupt
	select {
	case status := <-over:
		if status != exitLocal || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("status %d, want %d and \"interrupted\"\n%s", status, exitLocal, &errs)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("fetch goes on after an interrupt\n%s", &errs)
	}
}
