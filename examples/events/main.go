// Events sends lines that another goroutine reads from standard input, each as a WebSocket message. Do is the way from that
// goroutine to the stream.
package main

import (
	"bufio"
	"context"
	"log"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

type sender struct {
	ss.Queue
	last bool // there is nothing more to send
}

// read runs on a goroutine of its own. Put refuses what is too much: then it would have to wait.
func (s *sender) read(h *ss.Handle) {
	ctx := context.Background()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var refused error
		if err := h.Runtime().Do(ctx, func() { refused = s.Put(h, in.Bytes()) }); err != nil || refused != nil {
			log.Fatal(err, refused)
		}
	}
	h.Runtime().Do(ctx, func() { s.last = true; h.RequestTx() })
}

// Tx ends the stream after the last message.
func (s *sender) Tx(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if s.last && s.Len() == 0 {
		return 0, 0, ss.DestroyMe
	}
	n, f, r := s.Queue.Tx(h, ordinal, buf)
	if s.last && s.Len() == 0 {
		h.RequestTx()
	}
	return n, f, r
}

func main() {
	p := must(policy.Parse(must(os.ReadFile("policy.json"))))
	must(0, ss.Run(context.Background(), ss.Config{Policy: p}, ss.Info{StreamType: "events", New: func(h *ss.Handle) ss.Stream {
		s := &sender{Queue: ss.Queue{Kind: ss.Text}}
		go s.read(h)
		return s
	}}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
