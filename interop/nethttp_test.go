package interop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/ss"
)

// Many concurrent net/http clients get the echo of bodies of many sizes.
func TestNetHTTPClients(t *testing.T) {
	_, at := serve(t, servers, "web", "--echo")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: patience}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for i := range 40 {
				body := []byte(pattern((i*i*i*37+w*1000)%300000, uint32(i+100*w)))
				var r io.Reader = bytes.NewReader(body)
				if i%2 == 1 {
					r = io.MultiReader(r) // hides the length, so net/http sends chunks
				}
				a, err := client.Post("http://"+at+"/", "application/octet-stream", r)
				if err != nil {
					t.Errorf("client %d, request %d of %d bytes: %v", w, i, len(body), err)
					return
				}
				b, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err != nil || a.StatusCode != 200 || !bytes.Equal(b, body) {
					t.Errorf("client %d, request %d of %d bytes: status %d, %d bytes back, %v", w, i, len(body), a.StatusCode, len(b), err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A net/http client that waits for 100 (Continue) receives it.
func TestNetHTTPExpect(t *testing.T) {
	_, at := serve(t, servers, "web", "--echo")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience}, Timeout: patience}
	defer client.CloseIdleConnections()
	body := pattern(1<<20, 31)
	q, err := http.NewRequest("PUT", "http://"+at+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Expect", "100-continue")
	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the echo", string(b), body)
}

// Our client stream against the responses that a net/http server can give.
func TestNetHTTPServer(t *testing.T) {
	var connections atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.WriteHeader(103)
		fmt.Fprint(w, "after two hints")
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for i := range 10 {
			fmt.Fprintf(w, "piece %d,", i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", "10")
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "and good bye")
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/reset", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	defer server.CloseClientConnections() // an unfinished stream must not block Close
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	doc := strings.ReplaceAll(`{"retry": [{"none": {"backoff": [10], "conceal": 0, "jitterpc": 0}}],
	"s": [
		{"get":  {"endpoint": "127.0.0.1", "port": PORT, "http_url": "${path}", "opportunistic": true, "retry": "none", "metadata": [{"path": ""}]}},
		{"post": {"endpoint": "127.0.0.1", "port": PORT, "http_url": "${path}", "opportunistic": true, "retry": "none", "metadata": [{"path": ""}],
		          "http_method": "POST"}}]}`, "PORT", port)
	const good = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING"
	const nack = "CREATING CONNECTING CONNECTED QOS_NACK_REMOTE DISCONNECTED DESTROYING"
	const cut = "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"
	big := pattern(4<<20, 33)
	for _, c := range []struct{ kind, path, send, states, body string }{
		{"get", "hints", "", good, "after two hints"},
		{"get", "trailers", "", good, "piece 0,piece 1,piece 2,piece 3,piece 4,piece 5,piece 6,piece 7,piece 8,piece 9,"},
		{"get", "close", "", good, "and good bye"},
		{"get", "none", "", good, ""},
		{"get", "reset", "", cut, "half"},
		{"get", "missing", "", nack, "404 page not found\n"},
		{"post", "upload", big, good, big},
		{"post", "early", "some", nack, "too much\n"},
	} {
		t.Run(c.path, func(t *testing.T) {
			s := newScene(t, doc)
			x := &call{send: c.send}
			s.play(x, c.kind, "path", c.path)
			x.passed(t, c.states)
			same(t, "the answer", x.body.String(), c.body)
		})
	}

	// A server that closes each connection gets a new one per request; the stream does not notice.
	connections.Store(0)
	s := newScene(t, doc)
	left := 3
	x := &call{}
	x.over = func(h *ss.Handle) ss.Ret {
		if left--; left == 0 {
			return ss.DestroyMe
		}
		return h.Connect()
	}
	s.play(x, "get", "path", "close")
	x.passed(t, "CREATING"+strings.Repeat(" CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", 3)+" DESTROYING")
	if got := connections.Load(); got != 3 {
		t.Errorf("got %d connections for 3 responses with Connection: close, want 3", got)
	}
}
