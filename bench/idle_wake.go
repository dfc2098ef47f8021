package main

import (
	"fmt"
	"syscall"
	"time"
)

// The keys of the table about waking.
const (
	keyWoken   = "p50_woken_us"
	keyAwake   = "p50_awake_us"
	keyWake    = "p50_woken_less_awake_us"
	keyWakeCPU = "cpu_woken_less_awake_us"
)

// wakeAll measures a request on connections that have been idle since the beginning, and once more on the
// same while they are awake. The difference is what sleeping costs, kept apart from what a request does.
// Each round wakes others.
func (l *lab) wakeAll(idlers []idler, r *report) error {
	rounds := l.rounds
	for _, id := range idlers {
		rounds = min(rounds, id.counts.many/wakeSet)
	}
	t := r.table(&table{Name: "wake", Title: fmt.Sprintf("request on each of %d connections that slept, and once more", wakeSet),
		Measures: []measure{
			{Key: keyWoken, Head: "p50 us", Chart: true}, {Key: keyAwake, Head: "p50 us again"}, {Key: keyWake, Head: "p50 us more"},
			{Key: keyWakeCPU, Head: "CPU us more", Chart: true},
		}})
	for round := range rounds {
		l.say("idle: waking: round %d of %d", round+1, rounds)
		for i := range idlers {
			id := idlers[(i+round)%len(idlers)]
			values, err := id.wake()
			if err != nil {
				return err
			}
			t.add(round, id.name, values)
		}
	}
	return nil
}

// wake measures one set of connections.
func (id idler) wake() (map[string]float64, error) {
	woken, cpu, err := id.ask(syscall.SIGUSR1, "woke")
	if err != nil {
		return nil, err
	}
	again, cpuAgain, err := id.ask(syscall.SIGUSR2, "again")
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		keyWoken: micros(woken), keyAwake: micros(again), keyWake: micros(woken - again),
		keyWakeCPU: micros(cpu-cpuAgain) / wakeSet,
	}, nil
}

// ask has the crowd make a request on each connection of a set, and returns their median and the server's
// processor time for all.
func (id idler) ask(sig syscall.Signal, word string) (p50, cpu time.Duration, err error) {
	before, err := id.many.cpu()
	if err != nil {
		return 0, 0, err
	}
	if p50, err = id.crowd.request(sig, word); err != nil {
		return 0, 0, fmt.Errorf("%w: the server says: %s", err, id.many.errs.String())
	}
	after, err := id.many.cpu()
	return p50, after - before, err
}
