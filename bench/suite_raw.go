package main

import (
	"fmt"

	"github.com/millrace/millrace/bench/internal/gen"
)

// The load of the raw suite: enough connections that a server always finds one ready, and twice the
// servers' buffer size in flight on each, so that reads are as large as possible.
const (
	rawConns = 8
	rawAhead = 2 * limitRawBuffer
)

// megabyte is 10^6 bytes, the unit of network rates.
const megabyte = 1e6

// rawSuite streams bytes through echo servers.
func rawSuite(l *lab, r *report) error {
	seats, err := l.startAll(rawContenders, kindRaw, r)
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "echo", Title: fmt.Sprintf("raw echo, %d connections, %d KiB under way on each", rawConns, rawAhead>>10),
		Measures: []measure{
			{Key: keyMB, Head: "MB/s", Chart: true}, {Key: keyCPUMB, Head: "CPU us/MB", Chart: true},
			{Key: keyIdle, Head: "generator idle %"},
		},
		Ratios: []ratio{
			{keyCPUMB, nameLimit, "CPU / limit"}, {keyCPUMB, nameGoNet, "CPU / Go net"}, {keyMB, nameLimit, "rate / limit"},
		}})
	proof, err := l.inTurn("raw", seats, func(round int, s seat) error {
		m, err := gen.Stream(gen.Flow{Addr: s.proc.addr, Conns: rawConns, Ahead: rawAhead}, l.window(s.proc))
		if err != nil {
			return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
		}
		mb := float64(m.Done) / megabyte
		t.add(round, s.name, map[string]float64{
			keyMB:    mb / m.Elapsed.Seconds(),
			keyCPUMB: micros(m.CPU) / mb,
			keyIdle:  100 * m.Idle,
		})
		return nil
	})
	if err != nil {
		return err
	}
	if reads := proof["reads"]; reads > 0 {
		r.note("limit's system calls: %.0f KB in a read, %.3f writes and %.3f waits to a read", float64(proof["bytes"])/float64(reads)/1e3,
			float64(proof["writes"])/float64(reads), float64(proof["looks"]+proof["sleeps"])/float64(reads))
	}
	r.goals = []goal{
		{Table: "echo", Server: nameMillrace, Key: keyMB, To: nameLimit, AtLeast: 0.90},
		{Table: "echo", Server: nameMillrace, Key: keyCPUMB, To: nameLimit, AtMost: 1.2},
	}
	return nil
}
