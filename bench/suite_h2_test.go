package main

import "testing"

// Every server of the h2 suite starts, answers correctly, and is measured.
func TestEveryH2Server(t *testing.T) {
	if _, err := findProgram("h2load"); err != nil {
		lacking(t, "h2load is not installed: apt-get install nghttp2-client")
	}
	for _, c := range h2Contenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.quick = true
			p, err := l.start(c, kindH2) // probes its response
			if a, ok := isAbsent(err); ok {
				lacking(t, a.why)
			}
			if err != nil {
				t.Fatal(err)
			}
			tab := new(table)
			if err := l.load(tab, 0, seat{c, p}); err != nil {
				t.Fatal(err)
			}
			v := tab.Samples[0].Values
			if v[keyRate] < 10 || v[keyCPU] <= 0 || v[keyBytes] < 30 || v[keyBytes] > 500 {
				t.Errorf("got %v, want requests, CPU, and some tens of bytes in a response", v)
			}
		})
	}
}
