package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// exampleReport has two rounds of two servers, the second round twice as slow for both.
func exampleReport() *report {
	r := &report{Suite: "h1", Rounds: 2, Quick: true, Machine: machine{CPU: "a processor", Kernel: "6", Cores: []int{0, 1},
		Versions: map[string]string{"go": "go1"}}}
	t := r.table(&table{Name: "keepalive", Title: "small GET",
		Measures: []measure{{Key: keyCPU, Head: "CPU us/request", Chart: true}, {Key: keyP50, Head: "p50 us"}},
		Ratios:   []ratio{{keyCPU, nameLimit, "CPU / limit"}, {keyCPU, nameNginx, "CPU / nginx"}}})
	t.add(0, nameLimit, map[string]float64{keyCPU: 8})
	t.add(0, nameMillrace, map[string]float64{keyCPU: 8.8, keyP50: 100})
	t.add(1, nameMillrace, map[string]float64{keyCPU: 17.6, keyP50: 200})
	t.add(1, nameLimit, map[string]float64{keyCPU: 16})
	r.miss(contender{name: nameNginx}, "not installed")
	r.note("a note")
	r.goals = []goal{
		{Table: "keepalive", Server: nameMillrace, Key: keyCPU, To: nameLimit, AtMost: 1.2},
		{Table: "keepalive", Server: nameMillrace, Key: keyP50, AtMost: 100},
		{Table: "keepalive", Server: nameMillrace, Key: keyP50, AtLeast: 150},
		{Table: "keepalive", Server: nameMillrace, Key: keyCPU, To: nameNginx, AtMost: 1},
		{Table: "elsewhere", Server: nameMillrace, Key: keyCPU, AtMost: 1},
	}
	return r
}

func TestReportPrint(t *testing.T) {
	var b bytes.Buffer
	if err := exampleReport().print(&b); err != nil {
		t.Fatal(err)
	}
	const want = `h1: a processor, Linux 6, go1, generator on core 0, servers on core 1, 2 rounds, QUICK: not to be published

small GET
    server  CPU us/request  p50 us        CPU / limit  CPU / nginx
     limit            12.0       -  1.00 [1.00..1.00]            -
  millrace            13.2     150  1.10 [1.10..1.10]            -

not measured: nginx: not installed
a note
goal: keepalive: millrace cpu_us_per_request / limit at most 1.20: met (1.10)
goal: keepalive: millrace p50_us at most 100: missed (150)
goal: keepalive: millrace p50_us at least 150: met (150)
goal: keepalive: millrace cpu_us_per_request / nginx at most 1.00: not measured
goal: elsewhere: millrace cpu_us_per_request at most 1.00: not measured
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestBusyMachineIsMarked(t *testing.T) {
	r := exampleReport()
	if r.Machine.Load = busy; !strings.Contains(r.heading(), "BUSY: others used 0.1 cores") {
		t.Errorf("got %q, want the load of other processes in it", r.heading())
	}
}

// The JSON omits figures that were not measured; they are never zero.
func TestReportJSON(t *testing.T) {
	b, err := json.Marshal(exampleReport().results())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Suite   string
		Missing []missing
		Tables  []struct {
			Servers []struct {
				Server   string
				Measures map[string]struct{ Median float64 }
				Ratios   []struct {
					Of, To string
					Median float64
				}
			}
			Samples []sample
		}
		Goals []struct {
			Result string
			Median *float64
		}
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if got.Suite != "h1" || len(got.Missing) != 1 || len(got.Tables) != 1 || len(got.Tables[0].Samples) != 4 {
		t.Fatalf("got %+v", got)
	}
	limit, ours := got.Tables[0].Servers[0], got.Tables[0].Servers[1]
	if _, has := limit.Measures[keyP50]; has {
		t.Errorf("got a p50 of limit, which was not measured: %s", b)
	}
	if len(ours.Ratios) != 1 || ours.Ratios[0].To != nameLimit || ours.Measures[keyP50].Median != 150 {
		t.Errorf("millrace: got %+v", ours)
	}
	for i, want := range []string{"met", "missed", "met", "not measured", "not measured"} {
		if g := got.Goals[i]; g.Result != want || (g.Median == nil) != (want == "not measured") {
			t.Errorf("goal %d: got %+v, want %q", i, g, want)
		}
	}
}

func TestReportChart(t *testing.T) {
	c := exampleReport().chart()
	if len(c.Panels) != 1 || len(c.Panels[0].Bars) != 3 {
		t.Fatalf("got %+v, want one panel of three bars", c.Panels)
	}
	bars := c.Panels[0].Bars
	if bars[0].Ours || !bars[1].Ours || bars[2].Missing != "not installed" {
		t.Errorf("got %+v", bars)
	}
	if svg := string(c.SVG()); !strings.Contains(svg, "QUICK") {
		t.Errorf("the chart of a quick run has no note about it:\n%s", svg)
	}
}

func TestPairingNeedsEveryRound(t *testing.T) {
	tab := &table{}
	tab.add(0, "a", map[string]float64{"x": 1})
	tab.add(0, "b", map[string]float64{"x": 1})
	tab.add(1, "a", map[string]float64{"x": 1})
	if s := tab.ratio("a", "x", "b"); s.N != 0 {
		t.Errorf("got %+v, want nothing: b lacks a round", s)
	}
}
