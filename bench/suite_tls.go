package main

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/millrace/millrace/bench/internal/gen"
)

// The load of the tls suite: enough concurrent handshakes that the server always has work,
// and enough downloads that it does not wait for one client.
const (
	shakeWorkers = 16
	bulkConns    = 4
)

// The keys of handshakes.
const (
	keyShakes   = "handshakes_per_s"
	keyCPUShake = "cpu_us_per_handshake"
)

// shakes are the types of handshake of the tls suite.
var shakes = []struct {
	name, title string
	group       tls.CurveID
	resume      bool
}{
	{"full", "connect, full handshake with ticket, close; the client offers X25519MLKEM768 first", tls.X25519MLKEM768, false},
	{"full-x25519", "connect, full handshake with ticket, close; X25519", tls.X25519, false},
	{"resumed", "connect, resumed handshake with ticket, close; the client offers X25519MLKEM768 first", tls.X25519MLKEM768, true},
}

// The measures and ratios of the tables of handshakes, requests and bulk.
var (
	shakeMeasures = []measure{
		{Key: keyCPUShake, Head: "CPU us/handshake", Chart: true}, {Key: keyShakes, Head: "handshakes/s"},
		{Key: keyIdle, Head: "generator idle %"},
	}
	shakeRatios = []ratio{
		{keyCPUShake, nameNginx, "CPU / nginx"}, {keyCPUShake, nameNetHTTP, "CPU / net/http"}, {keyShakes, nameNetHTTP, "rate / net/http"},
	}
	tlsRatios = []ratio{
		{keyCPU, nameNginx, "CPU / nginx"}, {keyCPU, nameNetHTTP, "CPU / net/http"}, {keyRate, nameNetHTTP, "rate / net/http"},
	}
	bulkMeasures = []measure{
		{Key: keyCPUMB, Head: "CPU us/MB", Chart: true}, {Key: keyMB, Head: "MB/s"}, {Key: keyIdle, Head: "generator idle %"},
	}
	bulkRatios = []ratio{
		{keyCPUMB, nameNginx, "CPU / nginx"}, {keyCPUMB, nameNetHTTP, "CPU / net/http"}, {keyMB, nameNetHTTP, "rate / net/http"},
	}
)

// tlsSuite measures the cost of TLS 1.3: handshakes, requests, downloads. The certificate and the cipher
// suite (AES-128-GCM) are the same for all servers.
func tlsSuite(l *lab, r *report) error {
	seats, err := l.startAll(tlsContenders, kindTLS, r)
	if err != nil {
		return err
	}
	if err := l.shakeAll(seats, r); err != nil {
		return err
	}
	t := r.table(&table{Name: "keepalive", Title: "small GET over TLS 1.3, 64 keep-alive connections", Measures: h1Measures, Ratios: tlsRatios})
	if _, err := l.inTurn("tls: keepalive", seats, func(round int, s seat) error { return l.request(t, round, s, 64, 1) }); err != nil {
		return err
	}
	bulkSeats, err := l.startAll(tlsContenders, kindBulk, &report{}) // the report already lists the missing servers
	if err != nil {
		return err
	}
	t = r.table(&table{Name: "bulk", Title: fmt.Sprintf("download over TLS 1.3, %d connections, %d MiB per response", bulkConns, gen.BulkSize>>20),
		Measures: bulkMeasures, Ratios: bulkRatios})
	if _, err := l.inTurn("tls: bulk", bulkSeats, func(round int, s seat) error { return l.download(t, round, s) }); err != nil {
		return err
	}
	r.note("where the generator is hardly idle it set the rate: compare CPU")
	r.goals = []goal{
		{Table: "keepalive", Server: nameMillrace, Key: keyCPU, To: nameNetHTTP, AtMost: 0.70},
		{Table: "bulk", Server: nameMillrace, Key: keyCPUMB, To: nameNetHTTP, AtMost: 0.87},
		{Table: "full", Server: nameMillrace, Key: keyCPUShake, To: nameNetHTTP, AtMost: 1.02},
	}
	return nil
}

// shakeAll fills the tables of handshakes.
func (l *lab) shakeAll(seats []seat, r *report) error {
	for _, k := range shakes {
		t := r.table(&table{Name: k.name, Title: k.title, Measures: shakeMeasures, Ratios: shakeRatios})
		agreed := map[string]tls.CurveID{}
		for round := range l.rounds {
			l.say("tls: %s: round %d of %d", k.name, round+1, l.rounds)
			for _, s := range rotate(seats, round) {
				m, group, err := gen.Handshakes(gen.Shake{Addr: s.proc.addr, Workers: shakeWorkers, Group: k.group, Resume: k.resume}, l.window(s.proc))
				if err != nil {
					return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
				}
				agreed[s.name] = group
				t.add(round, s.name, map[string]float64{
					keyShakes:   float64(m.Done) / m.Elapsed.Seconds(),
					keyCPUShake: micros(m.CPU) / float64(m.Done),
					keyIdle:     100 * m.Idle,
				})
			}
		}
		if other := otherGroups(seats, agreed, k.group); other != "" {
			r.note("%s: not %v: %s", k.name, k.group, other)
		}
	}
	return nil
}

// otherGroups lists the servers that negotiated another group than the first offered one, and that group.
func otherGroups(seats []seat, agreed map[string]tls.CurveID, want tls.CurveID) string {
	var list []string
	for _, s := range seats {
		if g := agreed[s.name]; g != want {
			list = append(list, fmt.Sprintf("%s chose %v", s.name, g))
		}
	}
	return strings.Join(list, ", ")
}

// download makes one measurement of downloads and adds it to t.
func (l *lab) download(t *table, round int, s seat) error {
	m, err := gen.Download(gen.BulkLoad{Addr: s.proc.addr, Conns: bulkConns, TLS: s.proc.tls}, l.window(s.proc))
	if err != nil {
		return fmt.Errorf("bench: %s: %w: %s", s.name, err, s.proc.errs.String())
	}
	mb := float64(m.Done) / megabyte
	t.add(round, s.name, map[string]float64{
		keyMB: mb / m.Elapsed.Seconds(), keyCPUMB: micros(m.CPU) / mb, keyIdle: 100 * m.Idle,
	})
	return nil
}
