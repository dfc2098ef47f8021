package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/procfs"
	"github.com/millrace/millrace/bench/internal/stat"
)

// report collects the samples of a suite. All printed figures are derived from them.
type report struct {
	Suite   string    `json:"suite"`
	Machine machine   `json:"machine"`
	Rounds  int       `json:"rounds"`
	Quick   bool      `json:"quick"` // rounds too short to publish
	Seconds float64   `json:"seconds"`
	Missing []missing `json:"missing,omitempty"`
	Notes   []string  `json:"notes,omitempty"`
	tables  []*table
	goals   []goal
	before  bool // tables compare with another build
}

// machine describes the machine and the software of a run.
type machine struct {
	CPU      string            `json:"cpu"`
	Kernel   string            `json:"kernel"`
	Date     string            `json:"date"`
	Cores    []int             `json:"cores"` // generator, servers
	Load     float64           `json:"load"`  // cores that other processes used just before the run
	Versions map[string]string `json:"versions"`
}

// missing is a contender that could not take part.
type missing struct {
	Server string `json:"server"`
	Why    string `json:"why"`
}

// table is one load on the servers. Charts show its first measure and its ratios.
type table struct {
	Name     string
	Title    string
	Measures []measure
	Ratios   []ratio
	Samples  []sample
}

// measure is one column: a key of sample.Values, and its heading with the unit.
type measure struct {
	Key, Head string
	Chart     bool
}

// ratio is a column of one measure divided by that of another server in the same round.
type ratio struct{ Key, To, Head string }

// sample holds the values of one round of one server.
type sample struct {
	Round  int                `json:"round"`
	Server string             `json:"server"`
	Values map[string]float64 `json:"values"`
}

// goal is the project's own bound on a figure of millrace. To is empty for a plain median.
type goal struct {
	Table, Server, Key, To string
	AtMost, AtLeast        float64 // zero: no bound
}

// libraries are the servers that this binary links, by module.
var libraries = map[string]string{
	"github.com/valyala/fasthttp":  nameFastHTTP,
	"github.com/lxzan/gws":         nameGWS,
	"github.com/gorilla/websocket": nameGorilla,
	"github.com/coder/websocket":   nameCoder,
}

// loadWatch is how long the machine's load is measured before a run.
const loadWatch = time.Second

func newReport(o options, cores []int) *report {
	r := &report{before: o.before != "", Suite: o.title(), Rounds: o.rounds, Quick: o.quick, Machine: machine{
		CPU: cpuModel(), Date: time.Now().UTC().Format(time.DateOnly), Cores: cores[:2],
		Versions: map[string]string{"go": runtime.Version()},
	}}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Machine.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if load, err := procfs.Busy(loadWatch); err == nil {
		r.Machine.Load = math.Round(load*100) / 100
	}
	for name, flag := range map[string]string{nameNginx: "-v", nameNghttpd: "--version"} {
		if v := programVersion(name, flag); v != "" {
			r.Machine.Versions[name] = v
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if name := libraries[d.Path]; name != "" {
				r.Machine.Versions[name] = d.Version
			}
		}
	}
	return r
}

// cpuModel returns the processor's name, or "unknown".
func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown processor (" + runtime.GOARCH + ")"
}

func (r *report) miss(c contender, why string) {
	r.Missing = append(r.Missing, missing{c.name, why})
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *report) table(t *table) *table {
	if r.before {
		t.Ratios = nil
		for _, m := range t.Measures {
			t.Ratios = append(t.Ratios, ratio{m.Key, nameBefore, m.Head + " / before"})
		}
	}
	r.tables = append(r.tables, t)
	return t
}

func (t *table) add(round int, server string, values map[string]float64) {
	t.Samples = append(t.Samples, sample{round, server, values})
}

// servers lists the servers with samples, in the order of their first sample.
func (t *table) servers() []string {
	var names []string
	for _, s := range t.Samples {
		if !slices.Contains(names, s.Server) {
			names = append(names, s.Server)
		}
	}
	return names
}

// values returns one figure of one server by round, without the rounds that did not measure it.
func (t *table) values(server, key string) []float64 {
	var v []float64
	for _, s := range t.Samples {
		if x, ok := s.Values[key]; ok && s.Server == server {
			v = append(v, x)
		}
	}
	return v
}

// summary describes one figure of one server; N is zero without samples.
func (t *table) summary(server, key string) stat.Summary {
	return stat.Summarise(t.values(server, key))
}

// ratio describes a figure relative to another server's, paired by round. N is zero unless every round has a pair.
func (t *table) ratio(server, key, to string) stat.Summary {
	s, err := stat.Paired(t.values(server, key), t.values(to, key))
	if err != nil {
		return stat.Summary{}
	}
	return s
}

// outcome returns a goal's median, and whether it is met.
func (r *report) outcome(g goal) (got float64, word string) {
	for _, t := range r.tables {
		if t.Name != g.Table {
			continue
		}
		s := t.summary(g.Server, g.Key)
		if g.To != "" {
			s = t.ratio(g.Server, g.Key, g.To)
		}
		switch {
		case s.N == 0:
			return 0, "not measured"
		case g.AtMost > 0 && s.Median > g.AtMost, g.AtLeast > 0 && s.Median < g.AtLeast:
			return s.Median, "missed"
		}
		return s.Median, "met"
	}
	return 0, "not measured"
}
