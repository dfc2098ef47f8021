// Wsclient subscribes to a feed over a WebSocket, on each connection anew, and prints what comes. The policy keeps it
// connected (nailed_up), and checks a silent server (svalidping).
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

type feed struct{ ss.Messages }

// State asks for Tx on each connection.
func (f *feed) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Connected {
		return h.RequestTx()
	}
	return ss.OK
}

// Tx sends the subscription.
func (f *feed) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, `{"subscribe": "ticks"}`), ss.SOM | ss.EOM | ss.Text, ss.OK
}

func received(_ *ss.Handle, m []byte, _ ss.Flags) ss.Ret {
	fmt.Printf("%s\n", m)
	return ss.OK
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	doc := must(os.ReadFile("policy.json"))
	must(0, ss.Run(ctx, ss.Config{Policy: must(policy.Parse(doc))}, ss.Info{StreamType: "feed",
		New: func(*ss.Handle) ss.Stream { return &feed{ss.Messages{OnMessage: received}} }}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
