// Telemetry sends a reading every ten seconds, each as a POST. While the server cannot be reached the readings wait in a
// queue, and they are sent in their order afterwards. When the queue is full the oldest are dropped.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

var every = flag.Duration("every", 10*time.Second, "time between two readings")

type sensor struct {
	ss.Queue
	count int
}

// State starts the timer when the stream is created; the rest is the queue's.
func (s *sensor) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	if st == ss.Creating {
		s.DropOldest, s.MaxMessages = true, 10_000
		s.OnDrop = func(m []byte, why error) { log.Printf("dropped %s: %v", m, why) }
		h.Every(*every, func() {
			s.count++
			s.Put(h, fmt.Appendf(nil, "reading %d", s.count)) // accepted: the oldest make room
		})
	}
	return s.Queue.State(h, st, n)
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	doc := must(os.ReadFile("policy.json"))
	must(0, ss.Run(ctx, ss.Config{Policy: must(policy.Parse(doc))}, ss.Info{
		StreamType: "telemetry", New: func(*ss.Handle) ss.Stream { return &sensor{} }}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
