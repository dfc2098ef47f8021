package ss_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// bodyTeller answers with the result of RequestBody at SERVER_TXN and with the flags of its last Rx.
type bodyTeller struct{ text string }

func (b *bodyTeller) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		h.ServerAck(0)
		b.text = fmt.Sprintf("body %v", h.RequestBody())
		if !h.RequestBody() {
			return h.RequestTxLen(int64(len(b.text)))
		}
	}
	return ss.OK
}

func (b *bodyTeller) Rx(h *ss.Handle, p []byte, f ss.Flags) ss.Ret {
	if f&ss.EOM == 0 {
		return ss.OK
	}
	b.text += fmt.Sprintf(", flags %d", f)
	return h.RequestTxLen(int64(len(b.text)))
}

func (b *bodyTeller) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, b.text), ss.SOM | ss.EOM, ss.OK
}

// RequestBody reports at SERVER_TXN whether Rx will deliver EOM.
func TestRequestBody(t *testing.T) {
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	p, err := policy.Parse([]byte(`{"s":[{"srv":{"server":true,"endpoint":"127.0.0.1","port":0}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ss.New(ss.Config{Loop: l, Policy: p, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := rt.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return &bodyTeller{} }})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := srv.Addr()
	const sent, chunked = "Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
	cases := []struct{ method, rest, want string }{
		{"GET", "\r\n", "body false"},
		{"GET", "Content-Length: 0\r\n\r\n", "body false"},
		{"GET", sent, "body true, flags 2"},
		{"DELETE", chunked, "body true, flags 2"},
		{"DELETE", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "body true, flags 3"},
		{"POST", sent, "body true, flags 2"},
		{"POST", "Content-Length: 0\r\n\r\n", "body true, flags 3"},
		{"PUT", "\r\n", "body true, flags 3"},
	}
	var requests strings.Builder
	for _, c := range cases {
		requests.WriteString(c.method + " / HTTP/1.1\r\nHost: x\r\n" + c.rest)
	}
	got := make(chan string, len(cases))
	go func() {
		defer close(got)
		c, err := net.Dial("tcp", a.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, requests.String())
		in := bufio.NewReader(c)
		for range cases {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Error(err)
				return
			}
			text, _ := io.ReadAll(r.Body)
			got <- string(text)
		}
	}()
	n := 0
	for open := true; open; {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
		select {
		case text, ok := <-got:
			if open = ok; ok {
				if c := cases[n]; text != c.want {
					t.Errorf("%s with %q: the stream says %q, want %q", c.method, c.rest, text, c.want)
				}
				n++
			}
		default:
			time.Sleep(time.Millisecond)
		}
	}
	if n != len(cases) {
		t.Errorf("%d of %d requests were answered", n, len(cases))
	}
}
