// Embed asks the routes example for three greetings from a program that has an event loop of its own, here a
// bare poll(2) that also watches a pipe. Millrace's loop is one more descriptor in it.
//
//	go run ./examples/embed
package main

import (
	_ "embed"
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

//go:embed policy.json
var builtIn []byte

// asker asks again and again, until it has got enough.
type asker struct{ left int }

func (a *asker) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	switch s {
	case ss.QOSAckRemote:
		a.left--
	case ss.Disconnected:
		if a.left > 0 {
			return h.Connect() // the same stream, and the same TCP connection while it is warm
		}
	case ss.AllRetriesFailed:
		log.Fatal(n.Cause)
	}
	return ss.OK
}

func (a *asker) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	os.Stdout.Write(b)
	return ss.OK
}

func (a *asker) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

func main() {
	doc := builtIn
	if len(os.Args) > 1 {
		doc = must(os.ReadFile(os.Args[1]))
	}
	l := loop.New(must(loop.NewSystem()), loop.Config{})
	rt := must(ss.New(ss.Config{Loop: l, Policy: must(policy.Parse(doc))}))
	a := &asker{left: 3}
	h := must(rt.Create(ss.Info{StreamType: "greeting", New: func(*ss.Handle) ss.Stream { return a }}))
	h.Connect()

	// What this program's own loop watches already: here a pipe that nobody writes to.
	own, _, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	for a.left > 0 {
		fds := []unix.PollFd{
			{Fd: int32(own.Fd()), Events: unix.POLLIN},
			{Fd: int32(l.FD()), Events: unix.POLLIN},
		}
		// Timeout is 0 while the loop has work queued, and loop.Forever (-1) when only FD can bring some.
		// Rounded up, or the last millisecond before a timer would be spent spinning.
		wait := -1
		if t := l.Timeout(); t >= 0 {
			wait = int((t + time.Millisecond - 1) / time.Millisecond)
		}
		if _, err := unix.Poll(fds, wait); err != nil && err != unix.EINTR {
			log.Fatal(err)
		}
		// One turn, which never waits. It costs little when there is nothing to do.
		if err := l.Service(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("three greetings")
}

// must keeps this example short: what fails here ends it.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
