package main

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
	"github.com/millrace/millrace/bench/internal/stat"
)

// The keys of the samples' values.
const (
	keyRate   = "requests_per_s"
	keyCPU    = "cpu_us_per_request"
	keyP50    = "p50_us"
	keyP99    = "p99_us"
	keyIdle   = "generator_idle_percent"
	keyMB     = "mb_per_s"
	keyCPUMB  = "cpu_us_per_mb"
	keyLost   = "lost"
	keyBefore = "p99_before_us"
	keyDuring = "p99_during_us"
	keyTimes  = "p99_during_over_before"
	keyTook   = "storm_ms"
)

// h1Shapes are the loads of the h1 suite.
var h1Shapes = []struct {
	name, title  string
	conns, depth int
}{
	{"keepalive", "small GET, 64 keep-alive connections", 64, 1},
	{"pipelined", "small GET, 64 connections, pipelined 16 deep", 64, 16},
	{"pingpong", "small GET, ping-pong on one connection", 1, 1},
}

// The measures and ratios of every table of requests.
var (
	h1Measures = []measure{
		{Key: keyRate, Head: "requests/s", Chart: true}, {Key: keyCPU, Head: "CPU us/request", Chart: true},
		{Key: keyP50, Head: "p50 us"}, {Key: keyP99, Head: "p99 us"}, {Key: keyIdle, Head: "generator idle %"},
	}
	h1Ratios = []ratio{
		{keyCPU, nameLimit, "CPU / limit"}, {keyCPU, nameNginx, "CPU / nginx"}, {keyCPU, nameNetHTTP, "CPU / net/http"},
		{keyRate, nameLimit, "rate / limit"}, {keyRate, nameNginx, "rate / nginx"}, {keyRate, nameNetHTTP, "rate / net/http"},
	}
	pingRatios = []ratio{
		{keyP50, nameLimit, "p50 / limit"}, {keyP50, nameNginx, "p50 / nginx"}, {keyP50, nameNetHTTP, "p50 / net/http"},
		{keyCPU, nameLimit, "CPU / limit"},
	}
)

// plainBulkRatios are the ratios of downloads without TLS.
var plainBulkRatios = []ratio{
	{keyMB, nameLimit, "rate / limit"}, {keyCPUMB, nameLimit, "CPU / limit"}, {keyCPUMB, nameNginx, "CPU / nginx"}, {keyMB, nameNetHTTP, "rate / net/http"},
}

// window returns the duration of one measurement.
func (l *lab) window(p *process) gen.Window {
	w := gen.Window{Warm: 150 * time.Millisecond, Span: time.Second, CPU: p.cpu}
	if l.quick {
		w.Warm, w.Span = 50*time.Millisecond, 150*time.Millisecond
	}
	return w
}

// h1Suite loads every server with every shape in every round.
func h1Suite(l *lab, r *report) error {
	seats, err := l.startAll(httpContenders, kindH1, r)
	if err != nil {
		return err
	}
	for _, shape := range h1Shapes {
		t := r.table(&table{Name: shape.name, Title: shape.title, Measures: h1Measures, Ratios: h1Ratios})
		if shape.name == "pingpong" && !r.before {
			t.Ratios = pingRatios
		}
		proof, err := l.inTurn(shape.name, seats, func(round int, s seat) error {
			return l.request(t, round, s, shape.conns, shape.depth)
		})
		if err != nil {
			return err
		}
		if proof["requests"] > 0 {
			r.note("limit's system calls, %s: %s", shape.name, proof)
		}
	}
	bulkSeats, err := l.startAll(httpContenders, kindBulkH1, &report{}) // the report already lists the missing servers
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "bulk", Title: fmt.Sprintf("download, %d connections, %d MiB in an answer", bulkConns, gen.BulkSize>>20),
		Measures: bulkMeasures, Ratios: plainBulkRatios})
	if _, err := l.inTurn("h1: bulk", bulkSeats, func(round int, s seat) error { return l.download(t, round, s) }); err != nil {
		return err
	}
	r.goals = []goal{
		{Table: "bulk", Server: nameMillrace, Key: keyMB, To: nameLimit, AtLeast: 0.90},
		{Table: "keepalive", Server: nameMillrace, Key: keyCPU, To: nameLimit, AtMost: 1.10},
		{Table: "keepalive", Server: nameLimit, Key: keyCPU, To: nameNginx, AtMost: 1.05},
		{Table: "pipelined", Server: nameMillrace, Key: keyRate, To: nameLimit, AtLeast: 0.65},
	}
	return nil
}

// request makes one measurement of requests and adds it to t.
func (l *lab) request(t *table, round int, s seat, conns, depth int) error {
	m, err := gen.Closed(gen.Load{Addr: s.proc.addr, Conns: conns, Depth: depth, Size: s.proc.size, TLS: s.proc.tls}, l.window(s.proc))
	if err != nil {
		return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
	}
	t.add(round, s.name, map[string]float64{
		keyRate: float64(m.Done) / m.Elapsed.Seconds(),
		keyCPU:  micros(m.CPU) / float64(m.Done),
		keyP50:  micros(m.Latency.Quantile(0.50)),
		keyP99:  micros(m.Latency.Quantile(0.99)),
		keyIdle: 100 * m.Idle,
	})
	return nil
}

// spinFor is how long millrace's loop polls before it sleeps in the spin suite: some tens of times
// the duration of a request.
const spinFor = 200 * time.Microsecond

// spinSuite measures only ping-pong, with and without spinning in millrace.
func spinSuite(l *lab, r *report) error {
	seats, err := l.startAll([]contender{
		{name: nameMillraceSpin, peer: "millrace", ours: true, spin: spinFor},
		{name: nameMillrace, peer: "millrace", ours: true},
		{name: nameNetHTTP, peer: "nethttp"},
	}, kindH1, r)
	if err != nil {
		return err
	}
	t := r.table(&table{Name: "pingpong", Title: "small GET, ping-pong on one connection",
		Measures: []measure{
			{Key: keyP50, Head: "p50 us", Chart: true}, {Key: keyP99, Head: "p99 us"},
			{Key: keyRate, Head: "requests/s"}, {Key: keyCPU, Head: "CPU us/request", Chart: true},
		},
		Ratios: []ratio{{keyP50, nameNetHTTP, "p50 / net/http"}, {keyCPU, nameNetHTTP, "CPU / net/http"}}})
	if _, err := l.inTurn("spin", seats, func(round int, s seat) error { return l.request(t, round, s, 1, 1) }); err != nil {
		return err
	}
	r.goals = []goal{{Table: "pingpong", Server: nameMillraceSpin, Key: keyP50, To: nameNetHTTP, AtMost: 0.45}}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// p99 returns the 99th percentile in microseconds.
func p99(h *stat.Histogram) float64 { return micros(h.Quantile(0.99)) }
