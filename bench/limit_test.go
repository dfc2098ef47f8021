package main

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
)

// The proof that the limit is minimal: a read and a write per request, a wait per turn.
func TestLimitCallsPerRequest(t *testing.T) {
	l := newLab(t)
	c := contender{name: nameLimit, peer: "limit"}
	p, err := l.start(c, kindH1)
	if err != nil {
		t.Fatal(err)
	}
	s := seat{c, p}
	n := callCount{}
	if err := s.counted(n, func() error {
		_, err := gen.Closed(gen.Load{Addr: p.addr, Conns: 8, Depth: 1, Size: p.size}, gen.Window{Span: 300 * time.Millisecond, CPU: p.cpu})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n["requests"] < 100 || n["writes"] != n["requests"] || n["looks"] != n["turns"] {
		t.Errorf("got %v, want a write per request and a poll per turn", map[string]uint64(n))
	}
	// Beyond one per request: one read finds a new connection empty, and one its end.
	if extra := n["reads"] - n["requests"]; extra > 2*8 {
		t.Errorf("got too many reads: %d for %d requests on 8 connections", n["reads"], n["requests"])
	}
}

// The same for WebSocket messages of both sizes.
func TestLimitCallsPerMessage(t *testing.T) {
	l := newLab(t)
	c := contender{name: nameLimit, peer: "limit"}
	p, err := l.start(c, kindWS)
	if err != nil {
		t.Fatal(err)
	}
	s := seat{c, p}
	for _, shape := range wsShapes {
		n := callCount{}
		if err := s.counted(n, func() error {
			_, err := gen.Echo(gen.Chat{Addr: p.addr, Conns: 8, Size: shape.size}, gen.Window{Span: 300 * time.Millisecond, CPU: p.cpu})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n["requests"] < 100 || n["writes"] > n["requests"]+8 || n["looks"] != n["turns"] {
			t.Errorf("%s: got %v, want a write per message, one per handshake, and a poll per turn", shape.name, map[string]uint64(n))
		}
		// Beyond one per message: the read that finds a new connection empty, its handshake, its end, and a
		// message in two pieces, which is rare.
		if extra := n["reads"] - n["requests"]; extra > 3*8+n["requests"]/50 {
			t.Errorf("%s: got too many reads: %d for %d messages on 8 connections", shape.name, n["reads"], n["requests"])
		}
	}
}

// All prepared responses have the same date, of constant length.
func TestLimitRedates(t *testing.T) {
	one := limitHead + date(time.Unix(0, 0)) + "\r\n\r\n" + gen.Body
	l := &limit{size: len(one), answers: []byte(strings.Repeat(one, 3))}
	l.redate(time.Unix(86400*365, 0))
	got := string(l.answers)
	if want := "Date: Fri, 01 Jan 1971 00:00:00 GMT\r\n\r\n" + gen.Body; strings.Count(got, want) != 3 || len(got) != 3*len(one) {
		t.Errorf("got %q, want three answers with %q", got, want)
	}
}

func TestLimitKnowsItsKinds(t *testing.T) {
	// runLimit locks its thread, which ends with the goroutine.
	failed := make(chan error)
	go func() { failed <- runLimit(&peerEnv{kind: "h3"}) }()
	if err := <-failed; err == nil {
		t.Error("served an unknown kind")
	}
}
