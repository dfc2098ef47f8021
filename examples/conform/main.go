// Conform has a fuzzing server judge our WebSocket clients: Autobahn's (wstest -m fuzzingserver), or one that speaks
// like it. It asks how many cases there are, echoes in each of them, over a connection of its own, and asks for the report.
// Where the server is, and which path is for what, stands in policy.json, or in the file that the argument names.
//
//	go run ./examples/conform
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

//go:embed policy.json
var builtIn []byte

const agent = "millrace"

// trial is what all streams have in common.
type trial struct {
	rt    *ss.Runtime
	cases int
	err   error
}

// create makes a stream, which connects at once. What it needs of agent and case it is told.
func (t *trial) create(streamType string, s ss.Stream, metadata map[string]string) {
	h, err := t.rt.Create(ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return s }})
	if err != nil {
		t.end(err)
		return
	}
	for name, v := range metadata {
		if err := h.SetMetadataString(name, v); err != nil {
			t.end(err)
			return
		}
	}
	h.Connect()
}

// end closes the runtime, and the loop with it.
func (t *trial) end(err error) {
	t.err = errors.Join(t.err, err)
	t.rt.Drain(t.rt.Loop().Stop)
}

// talk is a stream that takes one message and ends with its connection; then done is called.
type talk struct {
	*trial
	got  []byte
	done func(got []byte)
}

func (s *talk) State(_ *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	switch st {
	case ss.Unreachable:
		s.end(n.Cause)
	case ss.Disconnected:
		s.done(s.got)
		return ss.DestroyMe
	}
	return ss.OK
}

func (s *talk) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	s.got = append(s.got, b...)
	return ss.OK
}

func (s *talk) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// echo runs the cases, one connection after another. What comes goes back piece by piece.
type echo struct {
	*trial
	number int
	pieces []piece
	held   int // bytes of them
}

type piece struct {
	b []byte
	f ss.Flags
}

// high and low are how many bytes an echo holds before it stops the peer, and before it lets it go on.
const high, low = 64 << 10, 16 << 10

func (e *echo) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	switch s {
	case ss.Unreachable:
		e.end(fmt.Errorf("case %d: %w", e.number, n.Cause))
	case ss.Disconnected:
		e.pieces, e.held = nil, 0
		h.Resume()
		if e.number == e.cases {
			e.create("report", &talk{trial: e.trial, done: func([]byte) { e.end(nil) }}, map[string]string{"agent": agent})
			return ss.DestroyMe
		}
		e.number++
		h.SetMetadataString("case", strconv.Itoa(e.number)) // becomes ${case} in the policy
		return h.Connect()
	}
	return ss.OK
}

func (e *echo) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	e.pieces = append(e.pieces, piece{bytes.Clone(b), f})
	if e.held += len(b); e.held >= high {
		h.Pause()
	}
	return h.RequestTx()
}

func (e *echo) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if len(e.pieces) == 0 {
		return 0, 0, ss.TxDontSend
	}
	p := &e.pieces[0]
	n, f = copy(buf, p.b), p.f
	if n < len(p.b) {
		p.b, p.f = p.b[n:], p.f&^ss.SOM
		f &^= ss.EOM
	} else {
		e.pieces = e.pieces[1:]
	}
	if e.held -= n; e.held < low {
		h.Resume()
	}
	if len(e.pieces) > 0 {
		h.RequestTx()
	}
	return n, f, ss.OK
}

func main() {
	doc := builtIn
	if len(os.Args) > 1 {
		doc = must(os.ReadFile(os.Args[1]))
	}
	l := loop.New(must(loop.NewSystem()), loop.Config{})
	t := &trial{rt: must(ss.New(ss.Config{Loop: l, Policy: must(policy.Parse(doc))}))}
	t.create("count", &talk{trial: t, done: func(got []byte) {
		if n, err := strconv.Atoi(string(got)); err != nil || n < 1 {
			t.end(fmt.Errorf("the server says that it has %q cases", got))
		} else {
			t.cases = n
			t.create("case", &echo{trial: t, number: 1}, map[string]string{"case": "1", "agent": agent})
		}
	}}, nil)
	if err := l.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	if t.err != nil {
		log.Fatal(t.err)
	}
	fmt.Printf("%d cases; the report is the server's\n", t.cases)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
