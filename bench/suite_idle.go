package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// counts are the two numbers of connections for the slope: a slope from zero would add a server's fixed cost to its
// connections.
type counts struct{ few, many int }

// The larger of idleCounts fits a process with a limit of 20,000 descriptors. TLS handshakes are slow, so a quick run
// uses fewer.
var (
	idleCounts     = counts{4_000, 16_000}
	idleTLSQuickly = counts{1_000, 4_000}
)

// The keys of the idle suite's memory table, in bytes.
const (
	keySettled = "bytes_per_connection"
	keyFreed   = "bytes_per_connection_freed"
	keyPeak    = "bytes_per_connection_peak"
	keyEmpty   = "rss_mb_empty"
	keyRSS     = "rss_mb_many"
)

// clientsTimeout bounds the connecting of idle clients, tlsClientsTimeout the same with TLS handshakes.
const (
	clientsTimeout    = 60 * time.Second
	tlsClientsTimeout = 3 * time.Minute
)

// quickSettleTLS is longer than the time for which millrace's sessions keep their expanded keys.
const quickSettleTLS = 7 * time.Second

// idler is one contender in three processes: alone serves only the active client, few and many
// hold idle connections.
type idler struct {
	contender
	alone, few, many *process
	clients          *process      // the clients of many
	empty            procfs.Memory // of many, before its connections
	counts           counts
}

// idling holds what depends on the protocol of an idle suite.
type idling struct {
	who, whoTLS   []contender
	kind, kindTLS string
	ask           func(l *lab, t *table, round int, s seat) error // measures the active client
	cpu           measure                                         // the processor time that ask measures
	unit          string                                          // of cpu
}

var (
	idlingHTTP = idling{who: httpContenders, kind: kindH1, whoTLS: tlsContenders, kindTLS: kindTLS,
		ask: func(l *lab, t *table, round int, s seat) error { return l.request(t, round, s, 1, 1) },
		cpu: measure{Key: keyCPU, Head: "CPU us/request"}, unit: "request"}
	idlingWS = idling{who: wsIdleContenders, kind: kindWS, whoTLS: wssIdleContenders, kindTLS: kindWSS,
		ask: func(l *lab, t *table, round int, s seat) error { return l.echo(t, round, s, 1, wsShapes[0].size) },
		cpu: measure{Key: keyCPUMessage, Head: "CPU us/message"}, unit: "message"}
)

// idling returns the idling for the options.
func (o options) idling() *idling {
	if o.ws {
		return &idlingWS
	}
	return &idlingHTTP
}

// over names the protocol in titles.
func (o options) over() string {
	s := ""
	if o.ws {
		s = "WebSocket, "
	}
	if o.tls {
		s += "over TLS 1.3, "
	}
	return s
}

// idleSuite measures the cost of connections that are idle after one request, and what they cost an
// active one. All servers settle at the same time.
func idleSuite(l *lab, r *report) error {
	settle := time.Minute
	what, over := l.idling(), l.over()
	who, kind, n := what.who, what.kind, idleCounts
	if l.quick {
		settle = 2 * time.Second
	}
	if l.tls {
		who, kind = what.whoTLS, what.kindTLS
		if l.quick {
			n, settle = idleTLSQuickly, quickSettleTLS
		}
	}
	memory := r.table(&table{Name: "memory",
		Title: fmt.Sprintf("%sidle after one %s, slope between %d and %d connections, %v after the last connect", over, what.unit, n.few, n.many, settle),
		Measures: []measure{
			{Key: keySettled, Head: "RSS B/connection", Chart: true}, {Key: keyFreed, Head: "after FreeOSMemory", Chart: true},
			{Key: keyPeak, Head: "at the peak"}, {Key: keyEmpty, Head: "RSS MB empty"}, {Key: keyRSS, Head: fmt.Sprintf("RSS MB at %d", n.many)},
		}})
	idlers, err := l.fillAll(who, kind, n, settle, memory, r)
	if err != nil {
		return err
	}
	if l.tls {
		if err := l.wakeAll(idlers, settle, r); err != nil {
			return err
		}
	}
	active := r.table(&table{Name: "active",
		Title:    fmt.Sprintf("%sone active client, alone and among %d idle connections", over, n.many),
		Measures: []measure{{Key: keyP50, Head: "p50 us", Chart: true}, {Key: keyP99, Head: "p99 us"}, what.cpu}})
	for round := range l.rounds {
		l.say("idle: active client: round %d of %d", round+1, l.rounds)
		for i := range idlers {
			id := idlers[(i+round)%len(idlers)]
			pair := []seat{{id.contender, id.alone}, {id.contender, id.many}}
			pair[1].name += among
			for _, s := range rotate(pair, round) {
				if err := what.ask(l, active, round, s); err != nil {
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
	if l.tls {
		r.goals = append([]goal{
			{Table: "memory", Server: nameMillrace, Key: keyFreed, AtMost: 1200},
			{Table: "memory", Server: nameMillrace, Key: keySettled, AtMost: 2400},
			{Table: "wake", Server: nameMillrace, Key: keyMoreCPU, AtMost: 10},
			{Table: "wake", Server: nameMillrace, Key: keyWake, AtMost: 10},
		}, r.goals[2:]...)
	}
	return nil
}

// among marks the samples of an active client with idle connections beside it.
const among = " among idle"

// fillAll starts every contender's processes and their clients, waits until all have settled, and measures
// their memory.
func (l *lab) fillAll(who []contender, kind string, n counts, settle time.Duration, t *table, r *report) ([]idler, error) {
	var idlers []idler
	var due []time.Time
	for _, c := range l.field(who) {
		l.say("idle: %s: %d and %d connections", c.name, n.few, n.many)
		id, err := l.fill(c, kind, n)
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

// fill starts one contender's processes and connects their clients.
func (l *lab) fill(c contender, kind string, n counts) (id idler, err error) {
	id.contender, id.counts = c, n
	for _, p := range []**process{&id.alone, &id.few, &id.many} {
		if *p, err = l.start(c, kind); err != nil {
			return id, err
		}
	}
	if id.empty, err = id.many.memory(); err != nil {
		return id, err
	}
	if _, err := l.startClients(id.few, n.few); err != nil {
		return id, err
	}
	id.clients, err = l.startClients(id.many, n.many)
	return id, err
}

// startClients starts the process that holds n connections to a server.
func (l *lab) startClients(server *process, n int) (*process, error) {
	patience := clientsTimeout
	if server.tls {
		patience = tlsClientsTimeout
	}
	p, err := l.self("idle clients of "+server.name, l.clientCore, "idle-clients", "-tls="+strconv.FormatBool(server.tls), "-ws="+strconv.FormatBool(server.ws),
		server.addr.String(), strconv.Itoa(n), strconv.Itoa(server.size))
	if err != nil {
		return nil, err
	}
	if _, err := p.line("held", patience); err != nil {
		return nil, fmt.Errorf("%w: stderr of the server: %s", err, server.errs.String())
	}
	return p, nil
}

// weigh reads the memory of both processes, before and after they free what they can.
// A server that is not in Go cannot be asked to collect garbage, and its figure does not change. weigh fails if
// millrace has a goroutine for a connection.
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
	if err := id.noGoroutines(); err != nil {
		return nil, err
	}
	if err := id.allThere(); err != nil {
		return nil, err
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
		keySettled: id.counts.slope(few.RSS, many.RSS),
		keyPeak:    id.counts.slope(few.Peak, many.Peak),
		keyFreed:   id.counts.slope(fewFreed.RSS, manyFreed.RSS),
		keyEmpty:   float64(id.empty.RSS) / (1 << 20),
		keyRSS:     float64(many.RSS) / (1 << 20),
	}, nil
}

// allThere fails if a server has closed idle connections, since closed connections would count as cheap ones.
func (id idler) allThere() error {
	for _, at := range []struct {
		p *process
		n int
	}{{id.few, id.counts.few}, {id.many, id.counts.many}} {
		open, err := procfs.Descriptors(at.p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if open < at.n {
			return fmt.Errorf("bench: %s: has %d open descriptors after %d idle connections were made: it closed some", id.name, open, at.n)
		}
	}
	return nil
}

// noGoroutines fails if millrace has more goroutines with many connections than with few.
func (id idler) noGoroutines() error {
	if !id.ours {
		return nil
	}
	few, err := id.few.stats()
	if err != nil {
		return err
	}
	many, err := id.many.stats()
	if err != nil {
		return err
	}
	if few.Goroutines != many.Goroutines {
		return fmt.Errorf("bench: %s: %d goroutines with %d connections, %d with %d", id.name,
			few.Goroutines, id.counts.few, many.Goroutines, id.counts.many)
	}
	return nil
}

// slope returns the bytes per connection, from the bytes at each of the two counts.
func (n counts) slope(few, many int64) float64 { return float64(many-few) / float64(n.many-n.few) }
