package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// http2Server is a net/http server for both versions, in clear text or over TLS. It counts connections, and answers with
// the request and its version. /big/N/C returns N bytes of C, /slow waits first.
func http2Server(t *testing.T, secure, two bool) (url, ca string, conns *atomic.Int32) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s: %s\n", r.Proto, r.Method, r.URL.Path, body)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		fmt.Fprintf(w, "%s slow\n", r.Proto)
	})
	mux.HandleFunc("/big/{n}/{c}", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		fmt.Sscan(r.PathValue("n"), &n)
		io.WriteString(w, strings.Repeat(r.PathValue("c"), n))
	})
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no such thing", http.StatusNotFound) })
	s := httptest.NewUnstartedServer(mux)
	conns = new(atomic.Int32)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.EnableHTTP2 = two
	if secure {
		s.StartTLS()
		ca = write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetUnencryptedHTTP2(two)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, ca, conns
}

// The payload of several URLs is written in their order, and they share a connection.
func TestFetchSeveral(t *testing.T) {
	for _, c := range []struct {
		name        string
		secure, two bool
		flag        string
		proto, says string
	}{
		{"h1", false, true, "", "HTTP/1.1", "protocol=h1"},
		{"h2, prior knowledge", false, true, "--http2", "HTTP/2.0", "protocol=h2"},
		{"h2, prior knowledge by name", false, true, "--http2-prior-knowledge", "HTTP/2.0", "protocol=h2"},
		{"h2, ALPN", true, true, "--http2", "HTTP/2.0", "alpn=h2"},
		{"h1, ALPN", true, false, "--http2", "HTTP/1.1", "alpn=http/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, ca, conns := http2Server(t, c.secure, c.two)
			args := []string{"fetch", "-v"}
			if c.flag != "" {
				args = append(args, c.flag)
			}
			if ca != "" {
				args = append(args, "--ca", ca)
			}
			var want strings.Builder
			args = append(args, url+"/slow")
			fmt.Fprintf(&want, "%s slow\n", c.proto)
			for i := range 12 {
				args = append(args, fmt.Sprintf("%s/%d", url, i), fmt.Sprintf("%s/big/700000/%c", url, 'a'+i))
				fmt.Fprintf(&want, "%s GET /%d: \n%s", c.proto, i, strings.Repeat(string(rune('a'+i)), 700000))
			}
			r := run(args...)
			if r.out != want.String() {
				t.Errorf("got %d bytes, want %d, in order", len(r.out), want.Len())
			}
			if r.status != exitOK || !strings.Contains(r.err, c.says) {
				t.Errorf("status %d, want 0 and %s\n%s", r.status, c.says, r.err)
			}
			if n := conns.Load(); n != 1 {
				t.Errorf("connections: got %d, want 1", n)
			}
		})
	}
}

// A failed URL does not stop the others; the status is that of the first failure.
func TestFetchSeveralFail(t *testing.T) {
	url, _, _ := http2Server(t, false, true)
	for _, flags := range [][]string{nil, {"--http2"}} {
		args := append([]string{"fetch"}, flags...)
		r := run(append(args, url+"/a", url+"/no", "http://127.0.0.1:1/", url+"/b")...)
		r.expect(t, exitRefused, "GET /a: ", "no such thing", "GET /b: ", "fetch: "+url+"/no: refused", "fetch: http://127.0.0.1:1/: unreachable")
	}
}

// Every URL gets the payload.
func TestFetchSeveralData(t *testing.T) {
	url, _, _ := http2Server(t, false, true)
	file := write(t, "data", "from a file")
	run("fetch", "--http2", "--data", "@"+file, url+"/a", url+"/b").
		expect(t, exitOK, "HTTP/2.0 POST /a: from a file\nHTTP/2.0 POST /b: from a file\n")
	runWith(strings.NewReader("once"), "fetch", "--http2", "--data", "@-", url+"/a").expect(t, exitOK, "HTTP/2.0 POST /a: once")
	runWith(strings.NewReader("once"), "fetch", "--data", "@-", url+"/a", url+"/b").expect(t, exitUsage, "read only once")
}

// Prior knowledge has no fallback: a server without HTTP/2 is unreachable, and the error has the reason.
func TestFetchPriorKnowledgeFails(t *testing.T) {
	url, _, _ := http2Server(t, false, false)
	run("fetch", "--http2", url, "--timeout", "200ms").expect(t, exitUnreachable, "may not speak HTTP/2")
	run("fetch", "--http2", "--policy", "x", "--stream", "y").expect(t, exitUsage, "--http2 needs a URL")
}

// A failed output ends all fetches.
func TestFetchSeveralBrokenOutput(t *testing.T) {
	url, _, _ := http2Server(t, false, true)
	var errs text
	a := &app{in: strings.NewReader(""), out: broken{}, err: &errs, signals: nil}
	if status := a.run([]string{"fetch", "--http2", url + "/big/4000000/a", url + "/b", url + "/c"}); status != exitLocal || !strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("status %d, want %d and the reason\n%s", status, exitLocal, &errs)
	}
}
