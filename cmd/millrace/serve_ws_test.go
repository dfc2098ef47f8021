package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

const wsServePolicy = `{"s":[
	{"web":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h2","ws_subprotocol":"chat"}},
	{"pure":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"ws"}}]}`

// message is sent or received by a chatter.
type message struct {
	f ss.Flags // ss.Text or ss.Binary
	b []byte
}

// chatter sends messages, and ends when it has received as many.
type chatter struct {
	stop   func()
	send   []message
	at     int // of send[0]
	got    []message
	want   int
	states []ss.State
}

func (c *chatter) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	c.states = append(c.states, s)
	switch s {
	case ss.Connected:
		return h.RequestTx()
	case ss.Disconnected, ss.AllRetriesFailed:
		return ss.DestroyMe
	case ss.Destroying:
		c.stop()
	}
	return ss.OK
}

func (c *chatter) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if len(c.send) == 0 {
		return 0, 0, ss.TxDontSend
	}
	m := c.send[0]
	if f = m.f; c.at == 0 {
		f |= ss.SOM
	}
	n = copy(buf, m.b[c.at:])
	if c.at += n; c.at == len(m.b) {
		f |= ss.EOM
		c.send, c.at = c.send[1:], 0
	}
	h.RequestTx()
	return n, f, ss.OK
}

func (c *chatter) Rx(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.SOM != 0 {
		c.got = append(c.got, message{f: f & (ss.Text | ss.Binary)})
	}
	m := &c.got[len(c.got)-1]
	m.b = append(m.b, b...)
	if f&ss.EOM != 0 && len(c.got) == c.want {
		return ss.DisconnectMe
	}
	return ss.OK
}

// chat sends messages to a server with a client stream, and returns the answers.
func chat(t *testing.T, at, keys string, send []message) *chatter {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(fmt.Appendf(nil, `{"retry":[{"once":{"backoff":[10],"conceal":0}}],"s":[{"c":{"endpoint":%q,"port":%s,
		"protocol":"ws","opportunistic":true,"retry":"once"%s}}]}`, host, port, keys))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	defer l.Close()
	rt, err := ss.New(ss.Config{Loop: l, Policy: p, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &chatter{send: send, want: len(send), stop: func() { rt.Drain(l.Stop) }}
	h, err := rt.Create(ss.Info{StreamType: "c", New: func(*ss.Handle) ss.Stream { return c }})
	if err != nil {
		t.Fatal(err)
	}
	h.Connect()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestServeEchoesWebSockets checks that messages of every length are echoed with their type, over both protocols.
func TestServeEchoesWebSockets(t *testing.T) {
	file := write(t, "p.json", wsServePolicy)
	for _, c := range []struct{ stream, keys string }{
		{"web", `,"ws_subprotocol":"chat"`}, {"web", `,"ws_subprotocol":"chat","ws_over_h2":true`}, {"pure", ``},
	} {
		s := serve(t, "--policy", file, "--stream", c.stream, "--echo")
		var send []message
		for i, n := range []int{5, 0, 1, 125, 126, 70_000, 16 << 20, 3} {
			send = append(send, message{[]ss.Flags{ss.Text, ss.Binary}[i%2], bytes.Repeat([]byte("abcdefg"), n/7+1)[:n]})
		}
		for i := range 3000 {
			send = append(send, message{ss.Text, bytes.Repeat([]byte("y"), i%3)})
		}
		got := chat(t, s.at, c.keys, send).got
		if len(got) != len(send) {
			t.Fatalf("%s%s: %d messages came back, want %d", c.stream, c.keys, len(got), len(send))
		}
		for i := range send {
			if got[i].f != send[i].f || !bytes.Equal(got[i].b, send[i].b) {
				t.Errorf("%s%s: message %d: %d bytes of kind %#x came back, want %d of %#x", c.stream, c.keys, i,
					len(got[i].b), uint32(got[i].f), len(send[i].b), uint32(send[i].f))
			}
		}
	}
}

// TestFetchWebSocket checks one message echoed between fetch and serve, and its exit status.
func TestFetchWebSocket(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "pure", "--echo")
	_, port, err := net.SplitHostPort(s.at)
	if err != nil {
		t.Fatal(err)
	}
	doc := write(t, "c.json", fmt.Sprintf(`{"s":[{"c":{"endpoint":"127.0.0.1","port":%s,"protocol":"ws","opportunistic":true}}]}`, port))
	r := run("fetch", "--policy", doc, "--stream", "c", "--data", "hello", "--bytes", "5")
	if r.status != exitOK || r.out != "hello" {
		t.Errorf("status %d, %q, %s; want hello", r.status, r.out, r.err)
	}
	run("fetch", "--policy", doc, "--stream", "c", "--data", "hello", "--send").expect(t, exitOK)
}

// TestServeReplyRefusesWebSockets checks that --reply refuses WebSockets.
func TestServeReplyRefusesWebSockets(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "pure", "--reply", "x")
	c := chat(t, s.at, "", []message{{ss.Text, []byte("x")}})
	if len(c.got) != 0 || c.states[len(c.states)-2] != ss.AllRetriesFailed {
		t.Errorf("got %d messages and %v, want a refusal", len(c.got), c.states)
	}
}

// gated is an output that blocks until it is released.
type gated struct {
	text
	free <-chan struct{}
}

func (s *gated) Write(p []byte) (int, error) {
	<-s.free
	return s.text.Write(p)
}

// signalled is an input that reports when its end was read.
type signalled struct {
	io.Reader
	end chan<- struct{}
}

func (s signalled) Read(p []byte) (n int, err error) {
	if n, err = s.Reader.Read(p); err == io.EOF {
		close(s.end)
	}
	return n, err
}

// TestServeEchoesBeforeClose checks that a client that sends all messages and Close, and reads afterwards, gets all answers.
func TestServeEchoesBeforeClose(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", wsServePolicy), "--stream", "web", "--echo")
	for size := 400 << 10; size < 500<<10; size += 5000 {
		for _, args := range [][]string{{}, {"--http2"}} {
			want := strings.Repeat("x", size) + "\n"
			end := make(chan struct{})
			out := &gated{free: end}
			var errs text
			a := &app{in: signalled{strings.NewReader(want), end}, out: out, err: &errs, signals: make(chan os.Signal)}
			if status := a.run(append([]string{"fetch", "ws://" + s.at}, args...)); status != exitOK || out.String() != want {
				t.Errorf("%q: status %d, and %d bytes came back of %d\n%s", args, status, len(out.String()), len(want), &errs)
			}
		}
	}
}
