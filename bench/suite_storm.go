package main

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
)

// The number of the storm suite's clients, and their time limit. The kernel retransmits a SYN that met a full backlog
// after one, three and seven seconds.
const (
	stormClients  = 10_000
	stormPatience = 20 * time.Second
	stormCalm     = time.Second
)

// stormRounds bounds the storms per server: each leaves tens of thousands of sockets that the kernel must
// clean up.
const stormRounds = 5

// stormSuite times an established client before and while many others connect at once.
func stormSuite(l *lab, r *report) error {
	seats, err := l.startAll(httpContenders, kindH1, r)
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "storm", Title: fmt.Sprintf("one established client while %d others connect at once", stormClients),
		Measures: []measure{
			{Key: keyBefore, Head: "p99 before us"}, {Key: keyDuring, Head: "p99 during us", Chart: true},
			{Key: keyTimes, Head: "during / before", Chart: true}, {Key: keyTook, Head: "storm ms"}, {Key: keyLost, Head: "lost"},
		}})
	r.Rounds = min(l.rounds, stormRounds)
	calm := stormCalm
	if l.quick {
		calm /= 4
	}
	for round := range r.Rounds {
		l.say("storm: round %d of %d", round+1, r.Rounds)
		for _, s := range rotate(seats, round) {
			before, err := s.goroutines()
			if err != nil {
				return err
			}
			g, err := gen.Storm(gen.StormLoad{Addr: s.proc.addr, Clients: stormClients, Size: s.proc.size,
				Calm: calm, Patience: stormPatience})
			if err != nil {
				return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
			}
			if g.Why != nil {
				r.note("%s lost %d clients in round %d: %v", s.name, g.Lost, round+1, g.Why)
			}
			t.add(round, s.name, map[string]float64{
				keyBefore: p99(g.Before),
				keyDuring: p99(g.During),
				keyTimes:  p99(g.During) / p99(g.Before),
				keyTook:   float64(g.Elapsed) / float64(time.Millisecond),
				keyLost:   float64(g.Lost),
			})
			after, err := s.goroutines()
			if err != nil {
				return err
			}
			if s.ours && after != before {
				return fmt.Errorf("bench: %s: %d goroutines before %d accepts, %d after", s.name, before, stormClients, after)
			}
		}
	}
	r.goals = []goal{{Table: "storm", Server: nameMillrace, Key: keyTimes, AtMost: 10}}
	return nil
}

// goroutines returns a Go server's number of goroutines; other servers have none.
func (s seat) goroutines() (int, error) {
	if !s.proc.obeys {
		return 0, nil
	}
	st, err := s.proc.stats()
	return st.Goroutines, err
}
