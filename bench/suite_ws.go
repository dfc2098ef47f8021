package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/internal/gen"
)

// wsConns is the number of WebSockets with a message in flight: enough that a server always finds one ready.
const wsConns = 64

// wsShapes are the messages of the ws suite: small ones measure the cost per message, large ones the cost per octet.
var wsShapes = []struct {
	name, title string
	size        int
}{
	{"small", "echo of 64 B messages, 64 connections", 64},
	{"large", "echo of 16 KiB messages, 64 connections", 16 << 10},
}

// The broadcast of the ws suite: messages of fanSize octets to fanSubs subscribers.
const (
	fanSubs = 10_000
	fanSize = 512
)

// The keys of the message tables.
const (
	keyMessages   = "messages_per_s"
	keyCPUMessage = "cpu_us_per_message"
)

var (
	wsMeasures = []measure{
		{Key: keyMessages, Head: "messages/s", Chart: true}, {Key: keyCPUMessage, Head: "CPU us/message", Chart: true},
		{Key: keyP50, Head: "p50 us"}, {Key: keyP99, Head: "p99 us"}, {Key: keyIdle, Head: "generator idle %"},
	}
	wsRatios = []ratio{
		{keyCPUMessage, nameLimit, "CPU / limit"}, {keyCPUMessage, nameGWS, "CPU / gws"}, {keyMessages, nameLimit, "rate / limit"},
		{keyMessages, nameGWS, "rate / gws"},
	}
)

// fanMeasures are the measures of a broadcast. They count a message once per subscriber.
var fanMeasures = []measure{
	{Key: keyMessages, Head: "messages/s", Chart: true}, {Key: keyCPUMessage, Head: "CPU us/message", Chart: true},
	{Key: keyP50, Head: "p50 us to the last"}, {Key: keyP99, Head: "p99 us to the last"}, {Key: keyIdle, Head: "generator idle %"},
}

// wsSuite sends WebSocket messages through echo servers, and through servers that broadcast.
func wsSuite(l *lab, r *report) error {
	seats, err := l.startAll(wsContenders, kindWS, r)
	if err != nil {
		return err
	}
	for _, shape := range wsShapes {
		t := r.table(&table{Name: shape.name, Title: shape.title, Measures: wsMeasures, Ratios: wsRatios})
		proof, err := l.inTurn("ws: "+shape.name, seats, func(round int, s seat) error {
			return l.echo(t, round, s, wsConns, shape.size)
		})
		if err != nil {
			return err
		}
		if proof["requests"] > 0 {
			r.note("limit's system calls, %s messages: %s", shape.name, proof)
		}
	}
	if err := l.broadcasts(r); err != nil {
		return err
	}
	r.goals = []goal{
		{Table: "small", Server: nameMillrace, Key: keyCPUMessage, To: nameLimit, AtMost: 1.08},
		{Table: "large", Server: nameMillrace, Key: keyCPUMessage, To: nameGWS, AtMost: 0.80},
	}
	return nil
}

// broadcasts measures the cost of one message to many subscribers.
func (l *lab) broadcasts(r *report) error {
	seats, err := l.startAll(wsContenders, kindFan, r)
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "broadcast", Title: fmt.Sprintf("broadcast of %d B to %d subscribers", fanSize, fanSubs), Measures: fanMeasures, Ratios: wsRatios})
	_, err = l.inTurn("ws: broadcast", seats, func(round int, s seat) error { return l.spread(t, round, s, fanSubs) })
	return err
}

// spread makes one measurement of a broadcast and adds it to t.
func (l *lab) spread(t *table, round int, s seat, subs int) error {
	m, err := gen.Spread(gen.Fan{Addr: s.proc.addr, Subs: subs, Size: fanSize}, l.window(s.proc))
	return t.addMessages(round, s, m, err)
}

// echo makes one measurement of messages and adds it to t.
func (l *lab) echo(t *table, round int, s seat, conns, size int) error {
	m, err := gen.Echo(gen.Chat{Addr: s.proc.addr, Conns: conns, Size: size, TLS: s.proc.tls}, l.window(s.proc))
	return t.addMessages(round, s, m, err)
}

// addMessages adds a measurement of messages to t, unless it failed.
func (t *table) addMessages(round int, s seat, m gen.Result, err error) error {
	if err != nil {
		return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
	}
	t.add(round, s.name, map[string]float64{
		keyMessages:   float64(m.Done) / m.Elapsed.Seconds(),
		keyCPUMessage: micros(m.CPU) / float64(m.Done),
		keyP50:        micros(m.Latency.Quantile(0.50)),
		keyP99:        micros(m.Latency.Quantile(0.99)),
		keyIdle:       100 * m.Idle,
	})
	return nil
}
