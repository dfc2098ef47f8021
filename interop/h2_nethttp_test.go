package interop

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	stdtls "crypto/tls"
)

// client2 returns a net/http client that speaks only HTTP/2.
func (s *h2Server) client2(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), ExpectContinueTimeout: patience}
	tr.Protocols.SetHTTP2(s.secure)
	tr.Protocols.SetUnencryptedHTTP2(!s.secure)
	if s.secure {
		tr.TLSClientConfig = &stdtls.Config{RootCAs: x509.NewCertPool()}
		tr.TLSClientConfig.RootCAs.AddCert(s.ca.cert)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// Many concurrent net/http requests with bodies of many sizes get their body echoed. Some requests are cancelled half-way,
// which does not disturb the others.
func TestNetHTTPClientsHTTP2(t *testing.T) {
	overBoth(t, func(t *testing.T, s *h2Server) {
		client := s.client2(t)
		var all sync.WaitGroup
		for w := range 16 {
			all.Go(func() {
				for i := range 30 {
					body := []byte(pattern((i*i*i*37+w*1000)%300000, uint32(i+100*w)))
					q, err := http.NewRequest("POST", s.url, bytes.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					switch i % 4 {
					case 1:
						q.Body, q.ContentLength = io.NopCloser(q.Body), -1
					case 2:
						q.Body, q.ContentLength = io.NopCloser(q.Body), -1
						q.Trailer = http.Header{"X-Sum": {"1"}}
					case 3:
						giveUp(t, client, s.url)
					}
					a, err := client.Do(q)
					if err != nil {
						t.Errorf("client %d, request %d of %d bytes: %v", w, i, len(body), err)
						return
					}
					b, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err != nil || a.StatusCode != 200 || a.Proto != "HTTP/2.0" || !bytes.Equal(b, body) {
						t.Errorf("client %d, request %d of %d bytes: %s %d, %d bytes back, %v", w, i, len(body), a.Proto, a.StatusCode, len(b), err)
						return
					}
				}
			})
		}
		all.Wait()
	}, "--echo")
}

// giveUp starts an upload, reads the echo of its first bytes, and cancels the request.
func giveUp(t *testing.T, client *http.Client, url string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	defer w.Close()
	q, err := http.NewRequestWithContext(ctx, "POST", url, r)
	if err != nil {
		t.Error(err)
		return
	}
	go io.WriteString(w, pattern(50_000, 7)) // ends with the pipe at the latest
	a, err := client.Do(q)
	if err != nil {
		t.Errorf("response to an unfinished upload: %v", err)
		return
	}
	defer a.Body.Close()
	if _, err := io.ReadFull(a.Body, make([]byte, 1000)); err != nil {
		t.Errorf("echo of the first bytes of an upload: %v", err)
	}
	cancel()
	w.CloseWithError(context.Canceled) // the transport waits for its reader, and checks ctx only after that
	if _, err := io.Copy(io.Discard, a.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}

func TestNetHTTPExpectAndHeadHTTP2(t *testing.T) {
	overBoth(t, func(t *testing.T, s *h2Server) {
		client := s.client2(t)
		body := pattern(1<<20, 64)
		q, err := http.NewRequest("PUT", s.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Expect", "100-continue")
		a, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the echo", string(b), body)
		if a, err = client.Head(s.url); err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(a.Body); err != nil || len(b) > 0 || a.StatusCode != 200 {
			t.Errorf("HEAD: status %d, body %q, %v", a.StatusCode, b, err)
		}
		a.Body.Close()
	}, "--echo")
}

// Our HTTP/2 client stream against the responses that a net/http server can give.
func TestNetHTTPServerHTTP2(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.WriteHeader(103)
		fmt.Fprint(w, "after two hints over "+r.Proto)
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for i := range 10 {
			fmt.Fprintf(w, "piece %d,", i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", "10")
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/reset", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/wide", func(w http.ResponseWriter, r *http.Request) { // a header section just below our limit
		for i := range 12 {
			w.Header().Set(fmt.Sprintf("X-Wide-%d", i), strings.Repeat("~\\", 600))
		}
		fmt.Fprint(w, "wide")
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	const good = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING"
	const nack = "CREATING CONNECTING CONNECTED QOS_NACK_REMOTE DISCONNECTED DESTROYING"
	const cut = "CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING"
	big := pattern(4<<20, 65)
	for _, secure := range []bool{false, true} {
		ca := authority(t, "lab")
		var connections atomic.Int32
		server := httptest.NewUnstartedServer(mux)
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		if secure {
			server.TLS = &stdtls.Config{Certificates: []stdtls.Certificate{ca.issue(t, "leaf", ecKey(t), nil).pair()}}
			server.EnableHTTP2 = true
			server.StartTLS()
		} else {
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
		}
		t.Cleanup(server.Close)
		t.Cleanup(server.CloseClientConnections) // first: an unfinished stream must not block Close
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		doc := h2Clients(t, ca, port)
		for _, c := range []struct{ kind, path, send, states, body string }{
			{"get", "hints", "", good, "after two hints over HTTP/2.0"},
			{"get", "trailers", "", good, "piece 0,piece 1,piece 2,piece 3,piece 4,piece 5,piece 6,piece 7,piece 8,piece 9,"},
			{"get", "none", "", good, ""},
			{"get", "reset", "", cut, "half"},
			{"get", "wide", "", good, "wide"},
			{"get", "missing", "", nack, "404 page not found\n"},
			{"post", "upload", big, good, big},
			{"post", "early", "some", nack, "too much\n"},
		} {
			t.Run(wire(secure)+"/"+c.path, func(t *testing.T) {
				s := newScene(t, doc)
				x := &call{send: c.send}
				s.play(x, streamOf(c.kind, secure), "path", c.path)
				x.passed(t, c.states)
				same(t, "the answer", x.body.String(), c.body)
			})
		}

		// As a command: fetch with an upload and several URLs over one connection.
		url, ca2 := server.URL, []string{"fetch", "--http2", "--ca", ca.pem}
		if !secure {
			ca2 = ca2[:2]
		}
		r := finish(t, nil, millrace, append(ca2, "--data", "@"+file(t, "body", big), url+"/upload")...)
		same(t, "fetch --data", r.out, big)
		before := connections.Load()
		r = finish(t, nil, millrace, append(ca2, url+"/hints", url+"/none", url+"/trailers", url+"/hints")...)
		const hints = "after two hints over HTTP/2.0"
		same(t, "fetch of four URLs", r.out, hints+"piece 0,piece 1,piece 2,piece 3,piece 4,piece 5,piece 6,piece 7,piece 8,piece 9,"+hints)
		if got := connections.Load() - before; got != 1 || r.status != 0 {
			t.Errorf("fetch of four URLs: status %d, %d connections, want 0 and 1\n%s", r.status, got, r.err)
		}
	}
}
