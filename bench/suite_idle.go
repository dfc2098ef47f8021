package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// The two counts between which the slope is taken: from zero it would charge a server's fixed cost
// to its connections. The larger fits a process that may have 20,000 descriptors.
const (
	idleFew  = 4_000
	idleMany = 16_000
)

// The keys of the idle suite's memory table, in bytes.
const (
	keySettled = "bytes_per_connection"
	keyFreed   = "bytes_per_connection_freed"
	keyPeak    = "bytes_per_connection_peak"
	keyEmpty   = "rss_mb_empty"
	keyRSS     = "rss_mb_many"
)

// crowdTimeout bounds the opening of a crowd.
const crowdTimeout = 60 * time.Second

// idler is one contender in three processes: alone serves nobody but the active client, few and many
// hold idle connections.
type idler struct {
	contender
	alone, few, many *process
	empty            procfs.Memory // of many, before its connections came
}

// idleSuite measures what connections cost that do nothing after one request, and what they cost an
// active one. All servers settle at the same time.
func idleSuite(l *lab, r *report) error {
	settle := time.Minute
	if l.quick {
		settle = 2 * time.Second
	}
	memory := r.table(&table{Name: "memory",
		Title: fmt.Sprintf("idle after one request, slope between %d and %d connections, %v after the last connect", idleFew, idleMany, settle),
		Measures: []measure{
			{Key: keySettled, Head: "RSS B/connection", Chart: true}, {Key: keyFreed, Head: "after FreeOSMemory", Chart: true},
			{Key: keyPeak, Head: "at the peak"}, {Key: keyEmpty, Head: "RSS MB empty"}, {Key: keyRSS, Head: fmt.Sprintf("RSS MB at %d", idleMany)},
		}})
	idlers, err := l.fillAll(settle, memory, r)
	if err != nil {
		return err
	}
	active := r.table(&table{Name: "active",
		Title:    fmt.Sprintf("one active client, alone and among %d idle connections", idleMany),
		Measures: []measure{{Key: keyP50, Head: "p50 us", Chart: true}, {Key: keyP99, Head: "p99 us"}, {Key: keyCPU, Head: "CPU us/request"}}})
	for round := range l.rounds {
		l.say("idle: active client: round %d of %d", round+1, l.rounds)
		for i := range idlers {
			id := idlers[(i+round)%len(idlers)]
			pair := []seat{{id.contender, id.alone}, {id.contender, id.many}}
			pair[1].name += among
			for _, s := range rotate(pair, round) {
				if err := l.request(active, round, s, 1, 1); err != nil {
					return err
				}
			}
		}
	}
	for _, id := range idlers {
		q := active.ratio(id.name+among, keyP50, id.name)
		r.note("%s: p50 among idle connections / alone: %s", id.name, spread(q))
	}
	r.goals = []goal{
		{Table: "memory", Server: nameMillrace, Key: keyFreed, AtMost: 600},
		{Table: "memory", Server: nameMillrace, Key: keySettled, AtMost: 1200},
		{Table: "active", Server: nameMillrace + among, Key: keyP50, To: nameMillrace, AtMost: 1.1},
	}
	return nil
}

// among marks the samples of an active client that is not alone.
const among = " among idle"

// fillAll starts and fills every contender's processes, waits until each has settled, and measures
// their memory.
func (l *lab) fillAll(settle time.Duration, t *table, r *report) ([]idler, error) {
	var idlers []idler
	var due []time.Time
	for _, c := range httpContenders {
		l.say("idle: %s: %d and %d connections", c.name, idleFew, idleMany)
		id, err := l.fill(c)
		if a, ok := isAbsent(err); ok {
			r.miss(c, a.why)
			continue
		}
		if err != nil {
			return nil, err
		}
		idlers, due = append(idlers, id), append(due, time.Now().Add(settle))
	}
	l.say("idle: settling for %v", settle)
	for i, id := range idlers {
		time.Sleep(time.Until(due[i]))
		values, err := id.weigh()
		if err != nil {
			return nil, err
		}
		t.add(0, id.name, values)
	}
	return idlers, nil
}

// fill starts one contender's processes and connects their crowds.
func (l *lab) fill(c contender) (id idler, err error) {
	id.contender = c
	for _, p := range []**process{&id.alone, &id.few, &id.many} {
		if *p, err = l.start(c, kindH1); err != nil {
			return id, err
		}
	}
	if id.empty, err = id.many.memory(); err != nil {
		return id, err
	}
	if err := l.crowd(id.few, idleFew); err != nil {
		return id, err
	}
	return id, l.crowd(id.many, idleMany)
}

// crowd starts the process that holds n connections to a server.
func (l *lab) crowd(server *process, n int) error {
	p, err := l.self("crowd for "+server.name, l.clientCore, "crowd", server.addr.String(), strconv.Itoa(n), strconv.Itoa(server.size))
	if err != nil {
		return err
	}
	if _, err := p.line("held", crowdTimeout); err != nil {
		return fmt.Errorf("%w: the server says: %s", err, server.errs.String())
	}
	return nil
}

// weigh reads the memory of both processes, as it stands and after they gave back what they could.
// A server that is not in Go has no collector to ask, and its figure simply stays.
func (id idler) weigh() (map[string]float64, error) {
	few, err := id.few.memory()
	if err != nil {
		return nil, err
	}
	many, err := id.many.memory()
	if err != nil {
		return nil, err
	}
	if id.few.obeys {
		if err := id.few.free(); err != nil {
			return nil, err
		}
		if err := id.many.free(); err != nil {
			return nil, err
		}
	}
	fewFreed, err := id.few.memory()
	if err != nil {
		return nil, err
	}
	manyFreed, err := id.many.memory()
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		keySettled: slope(few.RSS, many.RSS),
		keyPeak:    slope(few.Peak, many.Peak),
		keyFreed:   slope(fewFreed.RSS, manyFreed.RSS),
		keyEmpty:   float64(id.empty.RSS) / (1 << 20),
		keyRSS:     float64(many.RSS) / (1 << 20),
	}, nil
}

// slope is bytes per connection between the two counts.
func slope(few, many int64) float64 { return float64(many-few) / (idleMany - idleFew) }
