package main

import "fmt"

// The load of the h2 suite.
const (
	h2Conns   = 8
	h2Streams = 32
)

// keyBytes is the size of a response, header and body, with its frame headers.
const keyBytes = "bytes_per_response"

// h2Seconds is the duration of one measurement: one second is h2load's minimum. The server's CPU time includes the eight
// handshakes of the run: less than a hundredth of it.
func (l *lab) h2Seconds() int {
	if l.quick {
		return 1
	}
	return 2
}

// h2Suite loads every server with small GETs over HTTP/2 and TLS 1.3, with many concurrent streams on each connection.
func h2Suite(l *lab, r *report) error {
	seats, err := l.startAll(h2Contenders, kindH2, r)
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "streams", Title: fmt.Sprintf("small GET over HTTP/2 and TLS 1.3, %d connections of %d streams", h2Conns, h2Streams),
		Measures: []measure{
			{Key: keyCPU, Head: "CPU us/request", Chart: true}, {Key: keyRate, Head: "requests/s", Chart: true},
			{Key: keyBytes, Head: "bytes/response"}, {Key: keyIdle, Head: "generator idle %"},
		},
		Ratios: []ratio{
			{keyCPU, nameNghttpd, "CPU / nghttpd"}, {keyCPU, nameNginx, "CPU / nginx"}, {keyCPU, nameNetHTTP, "CPU / net/http"},
			{keyRate, nameNetHTTP, "rate / net/http"},
		}})
	if _, err := l.inTurn("h2", seats, func(round int, s seat) error { return l.load(t, round, s) }); err != nil {
		return err
	}
	r.note("where the generator is hardly idle it set the rate: compare CPU")
	r.goals = []goal{
		{Table: "streams", Server: nameMillrace, Key: keyCPU, To: nameNetHTTP, AtMost: 0.12},
		{Table: "streams", Server: nameMillrace, Key: keyCPU, To: nameNginx, AtMost: 1},
	}
	return nil
}

// load makes one HTTP/2 measurement and adds it to t.
func (l *lab) load(t *table, round int, s seat) error {
	before, err := s.proc.cpu()
	if err != nil {
		return err
	}
	m, err := h2load{conns: h2Conns, streams: h2Streams, seconds: l.h2Seconds()}.run(l, s.proc)
	if err != nil {
		return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
	}
	after, err := s.proc.cpu()
	if err != nil {
		return err
	}
	t.add(round, s.name, map[string]float64{
		keyCPU:   micros(after-before) / float64(m.done),
		keyRate:  m.rate,
		keyBytes: float64(m.bytes) / float64(m.done),
		keyIdle:  100 * max(0, 1-m.cpu.Seconds()/m.elapsed.Seconds()),
	})
	return nil
}
