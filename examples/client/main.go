// Client asks the server example for a greeting. It knows the name of a stream type, "greeting", and
// nothing about where that is or how it is reached: policy.json does, or the file that its argument names.
//
//	go run ./examples/client
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"os"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

//go:embed policy.json
var builtIn []byte

// asker is the program's side of the stream.
type asker struct {
	loop *loop.Loop
	ok   bool
}

// State learns what became of the stream. The names are libwebsockets'.
func (a *asker) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	switch s {
	case ss.Unreachable: // the policy says how often and when it is tried again
		log.Print(n.Cause)
	case ss.QOSAckRemote: // the answer is complete, and a good one
		a.ok = true
	case ss.Disconnected, ss.AllRetriesFailed: // either way the transaction is over
		return ss.DestroyMe
	case ss.Destroying:
		a.loop.Stop()
	}
	return ss.OK
}

// Rx brings the answer, in pieces as they arrive. b is a view of the receive buffer: copy what is to be
// kept.
func (a *asker) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	os.Stdout.Write(b)
	return ss.OK
}

// Tx would give the body of a POST.
func (a *asker) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

func main() {
	doc := builtIn
	if len(os.Args) > 1 {
		var err error
		if doc, err = os.ReadFile(os.Args[1]); err != nil {
			log.Fatal(err)
		}
	}
	p, err := policy.Parse(doc)
	if err != nil {
		log.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		log.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	rt, err := ss.New(ss.Config{Loop: l, Policy: p})
	if err != nil {
		log.Fatal(err)
	}
	a := &asker{loop: l}
	h, err := rt.Create(ss.Info{StreamType: "greeting", New: func(*ss.Handle) ss.Stream { return a }})
	if err != nil {
		log.Fatal(err)
	}
	if err := h.SetMetadataString("name", "millrace"); err != nil { // becomes ${name} in the policy
		log.Fatal(err)
	}
	h.Connect()
	if err := l.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	if !a.ok {
		fmt.Fprintln(os.Stderr, "no greeting")
		os.Exit(1)
	}
}
