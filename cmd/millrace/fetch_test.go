package main

import (
	"errors"
	"fmt"
	"io"
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

// clientPolicy returns a policy with client stream types for a server at port.
func clientPolicy(t *testing.T, port string) string {
	return write(t, "client.json", strings.ReplaceAll(`{
	"retry": [{"quick": {"backoff": [20, 40], "conceal": 2, "jitterpc": 0}}, {"forever": {"backoff": [20], "conceal": 65535}}],
	"s": [
		{"get":  {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_url": "${path}", "opportunistic": true, "retry": "quick",
		          "metadata": [{"path": ""}, {"tag": "x-tag:"}]}},
		{"post": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_method": "POST", "http_retry_unsafe": true,
		          "opportunistic": true, "retry": "quick"}},
		{"nailed": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "nailed_up": true, "retry": "quick"}},
		{"stubborn": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "retry": "forever"}},
		{"hasty": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "timeout_ms": 50}},
		{"tcp":  {"endpoint": "127.0.0.1", "port": PORT, "protocol": "raw", "opportunistic": true, "retry": "quick"}}]}`, "PORT", port))
}

// web is a net/http server that answers with the request.
func web(t *testing.T) (at string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s length %d tag %q type %q: %s", r.Method, r.URL, r.ContentLength, r.Header.Get("X-Tag"),
			r.Header.Get("Content-Type"), body)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no such thing", http.StatusNotFound) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusMovedPermanently) })
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "part")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
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

// broken is an output that always fails.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// The broken input fails after its first bytes.
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

// SIGHUP means that the terminal is gone: it ends a command without reload as SIGTERM does.
func TestFetchInterrupted(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		var errs text
		signals := make(chan os.Signal, 1)
		a := &app{in: strings.NewReader(""), out: io.Discard, err: &errs, signals: signals}
		at := web(t)
		over := make(chan int, 1)
		go func() { over <- a.run([]string{"fetch", "http://" + at + "/hang", "-v"}) }()
		poll(t, "an attempt", func() bool { return strings.Contains(errs.String(), "LWSSSCS_CONNECTING") })
		signals <- signal
		select {
		case status := <-over:
			if status != exitLocal || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("%v: status %d, want %d and \"interrupted\"\n%s", signal, status, exitLocal, &errs)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("fetch continues after %v\n%s", signal, &errs)
		}
	}
}

func TestFetchDoesNotShowAPassword(t *testing.T) {
	r := run("fetch", "http://user:secret@127.0.0.1:1/")
	r.expect(t, exitUsage, "127.0.0.1:1", "Basic")
	if strings.Contains(r.err, "secret") {
		t.Errorf("the error has the password: %s", r.err)
	}
}

// TestFetchDoesNotRepeatPOST checks the retries when a server reads the request and closes: the built-in policy repeats
// idempotent methods, and never a POST.
func TestFetchDoesNotRepeatPOST(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	for _, c := range []struct {
		method string
		want   int32
		says   string
	}{
		{"POST", 1, "may have been processed"},
		{"GET", 3, ""}, {"PUT", 3, ""}, {"DELETE", 3, ""},
	} {
		asked.Store(0)
		args := []string{"fetch", "-X", c.method, s.URL}
		if c.method[0] == 'P' {
			args = append(args, "--data", "x")
		}
		r := run(args...)
		if r.status != exitUnreachable || asked.Load() != c.want || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: got status %d after %d requests, want %d after %d; error %q", c.method, r.status, asked.Load(), exitUnreachable, c.want, r.err)
		}
	}
}
