package main

import (
	"fmt"
	"syscall"
	"time"
)

// The keys of the wake table.
const (
	keyWoken    = "p50_woken_us"
	keyAgain    = "p50_again_us"
	keyWokenCPU = "cpu_woken_us"
	keyAgainCPU = "cpu_again_us"
	keyMoreCPU  = "cpu_woken_less_again_us"
	keyWake     = "cpu_woken_less_never_asleep_us"
)

// neverAsleep and plain are the references for a sleeping session: the same server with sessions that keep
// their expanded keys, and one without TLS. All three have the same idle clients.
var (
	neverAsleep = contender{name: nameAwake, peer: "millrace", ours: true, quiet: -1}
	plain       = contender{name: namePlain, peer: "millrace", ours: true}
)

// wakeAll measures a request on connections that have been idle since they were opened, and another one on the
// same connections. Each round wakes a new set.
//
// The first request costs more than the second even where sessions never sleep: the data of a connection, in
// the kernel and in the server, has left the caches. The cost of sleeping is the difference between the first requests
// of this server and of the one whose sessions never sleep.
func (l *lab) wakeAll(idlers []idler, settle time.Duration, r *report) error {
	t := r.table(&table{Name: "wake", Title: fmt.Sprintf("%s on each of %d connections that were idle, and once more", l.idling().unit, wakeSet),
		Measures: []measure{
			{Key: keyWokenCPU, Head: "CPU us", Chart: true}, {Key: keyAgainCPU, Head: "CPU us again"}, {Key: keyMoreCPU, Head: "CPU us more"},
			{Key: keyWake, Head: "CPU us for waking", Chart: true},
			{Key: keyWoken, Head: "p50 us"}, {Key: keyAgain, Head: "p50 us again"},
		}})
	n := idlers[0].counts
	more, err := l.wakeless(n, settle)
	if err != nil {
		return err
	}
	all := append(append(idlers[:1:1], more...), idlers[1:]...) // millrace, the two references, and the others
	for round := range min(l.rounds, n.many/wakeSet) {
		l.say("idle: waking: round %d of %d", round+1, l.rounds)
		values := make([]map[string]float64, len(all))
		for i := range all {
			at := (i + round) % len(all)
			if values[at], err = all[at].wake(); err != nil {
				return err
			}
		}
		values[0][keyWake] = values[0][keyWokenCPU] - values[1][keyWokenCPU]
		for i, id := range all {
			t.add(round, id.name, values[i])
		}
	}
	r.note("%s: CPU us of a first request less that of sessions that never sleep: %s", all[0].name, spread(t.summary(all[0].name, keyWake)))
	return nil
}

// wakeless fills the servers whose connections are not woken; the one whose sessions never sleep is first.
func (l *lab) wakeless(n counts, settle time.Duration) ([]idler, error) {
	var all []idler
	for _, c := range []struct {
		contender
		kind string
	}{{neverAsleep, l.idling().kindTLS}, {plain, l.idling().kind}} {
		l.say("idle: %s: %d connections", c.name, n.many)
		id := idler{contender: c.contender, counts: n}
		var err error
		if id.many, err = l.start(c.contender, c.kind); err != nil {
			return nil, err
		}
		if id.clients, err = l.startClients(id.many, n.many); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	time.Sleep(settle)
	for _, id := range all {
		if err := id.many.free(); err != nil { // as weigh does for the others
			return nil, err
		}
	}
	return all, nil
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
		keyWoken: micros(woken), keyAgain: micros(again),
		keyWokenCPU: micros(cpu) / wakeSet, keyAgainCPU: micros(cpuAgain) / wakeSet, keyMoreCPU: micros(cpu-cpuAgain) / wakeSet,
	}, nil
}

// ask makes the idle clients send a request on each connection of a set. It returns the median latency, and the server's
// processor time for all of them.
func (id idler) ask(sig syscall.Signal, word string) (p50, cpu time.Duration, err error) {
	before, err := id.many.cpu()
	if err != nil {
		return 0, 0, err
	}
	if p50, err = id.clients.request(sig, word); err != nil {
		return 0, 0, fmt.Errorf("%w: stderr of the server: %s", err, id.many.errs.String())
	}
	after, err := id.many.cpu()
	return p50, after - before, err
}
