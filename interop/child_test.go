package interop

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// childEnv, when set, makes this test binary a server in its own process, so that a test can count its goroutines.
const childEnv = "MILLRACE_INTEROP_CHILD"

// hello answers every request.
type hello struct{}

// State implements ss.Stream.
func (hello) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		h.ServerAck(0)
		return h.RequestTxLen(6)
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (hello) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

// Tx implements ss.Stream.
func (hello) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, "hello\n"), ss.SOM | ss.EOM, ss.OK
}

// child serves until standard input ends. It prints its address first; for every line of input it prints the number of
// goroutines, live streams, accepted connections, and answered requests.
func child() int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p, err := policy.Parse([]byte(servers))
	if err != nil {
		return fail(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		return fail(err)
	}
	l := loop.New(sys, loop.Config{})
	rt, err := ss.New(ss.Config{Loop: l, Policy: p, PanicOnIllegal: true})
	if err != nil {
		return fail(err)
	}
	h, err := rt.Create(ss.Info{StreamType: "web", New: func(*ss.Handle) ss.Stream { return hello{} }})
	if err != nil {
		return fail(err)
	}
	at, _ := h.Addr()
	fmt.Println(at)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			l.Post(func() {
				fmt.Println(runtime.NumGoroutine(), rt.Len(), rt.Net().Counters.Accepted, rt.Counters.Transactions)
			})
		}
		l.Stop()
	}()
	if err := l.Run(context.Background()); err != nil {
		return fail(err)
	}
	return 0
}
