package ss_test

import (
	"bufio"
	stdtls "crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/ss"
)

// alpnTold answers with the protocol that ALPN selected.
type alpnTold struct{ text []byte }

func (a *alpnTold) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		t, ok := h.TLS()
		a.text = fmt.Appendf(a.text[:0], "%q %v", t.ALPN, ok)
		h.ServerAck(0)
		return h.RequestTxLen(int64(len(a.text)))
	}
	return ss.OK
}

func (a *alpnTold) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

func (a *alpnTold) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, a.text), ss.SOM | ss.EOM, ss.OK
}

// TestALPNChooses: the client's offer selects the protocol; without an offer it is HTTP/1.1.
func TestALPNChooses(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	l, srv, _ := secureWorld(t, p, `"protocol":"h2"`, `"endpoint":"127.0.0.1","protocol":"h1"`)
	srv.Each((*ss.Handle).Destroy)
	listener, err := srv.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return new(alpnTold) }})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := listener.Addr()
	addr := fmt.Sprintf("127.0.0.1:%d", at.IP.Port())
	// away runs f on another goroutine while the test drives the loop.
	away := func(f func() (string, error)) (string, error) {
		t.Helper()
		type result struct {
			s   string
			err error
		}
		done := make(chan result, 1)
		go func() { s, err := f(); done <- result{s, err} }()
		for end := time.Now().Add(10 * time.Second); ; {
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
			select {
			case r := <-done:
				return r.s, r.err
			default:
			}
			if time.Now().After(end) {
				t.Fatal("no answer after ten seconds")
			}
		}
	}
	for _, c := range []struct {
		offer []string
		want  string // what the answer, or the handshake's error, says
	}{
		{nil, `"" true`},
		{[]string{"http/1.1"}, `"http/1.1" true`},
		{[]string{"http/1.1", "h2"}, "h2"},
		{[]string{"h2"}, "h2"},
		{[]string{"spdy/3"}, "no application protocol"},
	} {
		got, err := away(func() (string, error) {
			conn, err := stdtls.Dial("tcp", addr, &stdtls.Config{InsecureSkipVerify: true, NextProtos: c.offer})
			if err != nil {
				return err.Error(), nil
			}
			defer conn.Close()
			if conn.ConnectionState().NegotiatedProtocol == "h2" {
				var frame [9]byte
				_, err := io.ReadFull(conn, frame[:]) // a server's first frame is SETTINGS
				return fmt.Sprintf("h2 %d", frame[3]), err
			}
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			a, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return "", err
			}
			b, err := io.ReadAll(a.Body)
			return string(b), err
		})
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("a client that offers %q: got %q (%v), want %q", c.offer, got, err, c.want)
		}
		if c.want == "h2" && got != "h2 4" {
			t.Errorf("a client that offers %q: got %q, want a SETTINGS frame first", c.offer, got)
		}
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &stdtls.Config{InsecureSkipVerify: true}}}
	for range 3 {
		got, err := away(func() (string, error) {
			a, err := client.Get("https://" + addr + "/")
			if err != nil {
				return "", err
			}
			defer a.Body.Close()
			b, err := io.ReadAll(a.Body)
			return a.Proto + " " + string(b), err
		})
		if want := `HTTP/2.0 "h2" true`; got != want || err != nil {
			t.Errorf("net/http: got %q (%v), want %q", got, err, want)
		}
	}
	client.CloseIdleConnections()
	drainLoop(t, l, srv)
}

// drainLoop turns the loop until the server has no connection left.
func drainLoop(t *testing.T, l *loop.Loop, srv *ss.Runtime) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); srv.Net().Open() > 0; {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections are left after ten seconds", srv.Net().Open())
		}
	}
	if n := srv.Len(); n > 1 {
		t.Errorf("streams: got %d, want the server at the most", n)
	}
}
