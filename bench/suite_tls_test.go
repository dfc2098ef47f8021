package main

import (
	"crypto/tls"
	"testing"
)

// Every server does handshakes, answers, and sends the bulk, over TLS.
func TestEveryTLSServer(t *testing.T) {
	for _, c := range tlsContenders {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			small, err := l.start(c, kindTLS)
			if a, ok := isAbsent(err); ok {
				lacking(t, a.why)
			}
			if err != nil {
				t.Fatal(err)
			}
			large, err := l.start(c, kindBulk)
			if err != nil {
				t.Fatal(err)
			}
			r := new(report)
			if err := l.shakeAll([]seat{{c, small}}, r); err != nil {
				t.Fatal(err)
			}
			for _, tab := range r.tables {
				if v := tab.values(c.name, keyCPUShake); len(v) != 1 || v[0] <= 0 {
					t.Errorf("%s: got CPU per handshake %v", tab.Name, v)
				}
			}
			tab := r.table(&table{})
			if err := l.request(tab, 0, seat{c, small}, 4, 1); err != nil {
				t.Error(err)
			} else if v := tab.values(c.name, keyCPU); v[0] <= 0 {
				t.Errorf("got CPU per request %v", v)
			}
			if err := l.download(tab, 0, seat{c, large}); err != nil {
				t.Error(err)
			} else if v := tab.values(c.name, keyMB); v[0] < 1 {
				t.Errorf("got MB/s %v", v)
			}
		})
	}
}

func TestOtherGroups(t *testing.T) {
	seats := []seat{{contender: contender{name: "a"}}, {contender: contender{name: "b"}}, {contender: contender{name: "c"}}}
	agreed := map[string]tls.CurveID{"a": tls.X25519, "b": tls.X25519MLKEM768, "c": tls.X25519}
	if got, want := otherGroups(seats, agreed, tls.X25519MLKEM768), "a chose X25519, c chose X25519"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := otherGroups(seats[1:2], agreed, tls.X25519MLKEM768); got != "" {
		t.Errorf("all as offered: got %q", got)
	}
}
