// Outage is a program with its own test. The program sends the count of a meter every ten seconds, each as a POST. The
// test in main_test.go simulates a network that fails for ten minutes, and takes milliseconds.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// meter keeps its counts in the queue until the server has acknowledged them.
type meter struct {
	ss.Queue
	count int
}

func (m *meter) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Creating {
		h.Every(10*time.Second, func() {
			m.count++
			if err := m.Put(h, fmt.Appendf(nil, "count %d", m.count)); err != nil {
				log.Printf("count %d is lost: %v", m.count, err)
			}
		})
	}
	return m.Queue.State(h, s, n)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	doc := must(os.ReadFile("policy.json"))
	must(0, ss.Run(ctx, ss.Config{Policy: must(policy.Parse(doc))}, ss.Info{
		StreamType: "meter", New: func(*ss.Handle) ss.Stream { return &meter{} }}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
