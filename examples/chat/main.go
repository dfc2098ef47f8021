// Chat sends each message that it receives over a WebSocket to everybody who is connected. Each member has a queue: one that
// does not read loses the oldest messages, and does not delay the others. The broadcast example holds each message only once.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// member is one connection: Messages has its Rx, Queue its Tx.
type member struct {
	ss.Messages
	ss.Queue
	joined bool
}

func (m *member) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	switch s {
	case ss.ServerUpgrade:
		m.joined, m.DropOldest, m.OnMessage = true, true, tellAll
	case ss.ServerTxn:
		return ss.Reply(h, 426, "text/plain", []byte("this is for WebSockets\n"))
	}
	return m.Queue.State(h, s, n)
}

func tellAll(h *ss.Handle, text []byte, _ ss.Flags) ss.Ret {
	h.Server().ForEachClient(func(c *ss.Handle) {
		if m := c.Stream().(*member); m.joined {
			m.Put(c, text)
		}
	})
	return ss.OK
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p := must(policy.Parse(must(os.ReadFile("policy.json"))))
	must(0, ss.Run(ctx, ss.Config{Policy: p}, ss.Info{StreamType: "chat", New: func(*ss.Handle) ss.Stream { return &member{} }}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
