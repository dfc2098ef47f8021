package main

import (
	"context"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// millracePolicy is all that the peer's program does not say itself.
const millracePolicy = `{"s": [
	{"h1":  {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"raw": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}}
]}`

// runMillrace serves with a server stream: kindH1 answers gen.Body to every GET, kindRaw sends every
// byte back. spin is how long the loop looks before it sleeps, 0 for the loop's default. It calls
// report with the address once it accepts connections, and serves until the process ends.
func runMillrace(kind string, spin time.Duration, report func(addr string)) error {
	sys, err := loop.NewSystem()
	if err != nil {
		return err
	}
	p, err := policy.Parse([]byte(millracePolicy))
	if err != nil {
		return err
	}
	l := loop.New(sys, loop.Config{Spin: spin})
	rt, err := ss.New(ss.Config{Loop: l, Policy: p})
	if err != nil {
		return err
	}
	info := ss.Info{StreamType: "h1", New: func(*ss.Handle) ss.Stream { return answer{} }}
	if kind == kindRaw {
		info = ss.Info{StreamType: "raw", New: func(*ss.Handle) ss.Stream { return new(echo) }}
	}
	h, err := rt.Create(info)
	if err != nil {
		return err
	}
	a, _ := h.Addr()
	report(a.IP.String())
	return l.Run(context.Background())
}

// answer gives the same body to every request.
type answer struct{}

func (answer) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s != ss.ServerTxn {
		return ss.OK
	}
	h.ServerAck(0)
	if err := h.SetMetadataString("mime", "text/plain"); err != nil {
		return ss.DestroyMe
	}
	return h.RequestTxLen(int64(len(gen.Body)))
}

func (answer) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

func (answer) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, gen.Body), ss.SOM | ss.EOM, ss.OK
}

// echo holds what came until it can go back, and stops the peer while that is much.
type echo struct {
	held []byte
	off  int
}

// echoHigh is how many bytes an echo holds before it stops the peer.
const echoHigh = 64 << 10

func (e *echo) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }

func (e *echo) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	e.held = append(e.held, b...)
	if len(e.held)-e.off >= echoHigh {
		h.Pause()
	}
	return h.RequestTx()
}

func (e *echo) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	n := copy(buf, e.held[e.off:])
	e.off += n
	if e.off < len(e.held) {
		h.RequestTx()
		return n, 0, ss.OK
	}
	e.held, e.off = e.held[:0], 0
	h.Resume()
	return n, 0, ss.OK
}
