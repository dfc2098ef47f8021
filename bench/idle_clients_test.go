package main

import (
	"strings"
	"syscall"
	"testing"
)

// Idle clients over TLS wake one set of their connections after another, until none is left.
func TestIdleClientsWake(t *testing.T)    { idleClientsWake(t, tlsContenders, kindTLS) }
func TestIdleWebSocketsWake(t *testing.T) { idleClientsWake(t, wssIdleContenders, kindWSS) }

// One active WebSocket over TLS.
func TestActiveWebSocketOverTLS(t *testing.T) {
	for _, c := range wssIdleContenders {
		l := newLab(t)
		p, err := l.start(c, kindWSS)
		if err != nil {
			t.Fatal(err)
		}
		tab := new(report).table(&table{})
		if err := idlingWS.ask(l, tab, 0, seat{c, p}); err != nil {
			t.Error(err)
		} else if v := tab.values(c.name, keyCPUMessage); v[0] <= 0 {
			t.Errorf("%s: got CPU per message %v", c.name, v)
		}
	}
}

func idleClientsWake(t *testing.T, who []contender, kind string) {
	for _, c := range who {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p, err := l.start(c, kind)
			if a, ok := isAbsent(err); ok {
				lacking(t, a.why)
			}
			if err != nil {
				t.Fatal(err)
			}
			id := idler{contender: c, few: p, many: p, counts: counts{wakeSet, wakeSet}}
			if id.clients, err = l.startClients(p, wakeSet); err != nil {
				t.Fatal(err)
			}
			v, err := id.wake()
			if err != nil || v[keyWoken] <= 0 || v[keyAgain] <= 0 {
				t.Errorf("got %v, %v; want two latencies", v, err)
			}
			if err := id.allThere(); err != nil {
				t.Error(err)
			}
			if _, err := id.clients.request(syscall.SIGUSR1, "woke"); err == nil || !strings.Contains(err.Error(), "0 have not been woken") {
				t.Errorf("no idle connection left: got %v", err)
			}
		})
	}
}

// A server that closed connections is not measured.
func TestClosedConnectionsAreMissed(t *testing.T) {
	l := newLab(t)
	p, err := l.start(contender{name: nameMillrace, peer: "millrace", ours: true}, kindTLS)
	if err != nil {
		t.Fatal(err)
	}
	id := idler{contender: contender{name: nameMillrace, ours: true}, few: p, many: p, counts: counts{100, 200}}
	if _, err := id.weigh(); err == nil || !strings.Contains(err.Error(), "it closed some") {
		t.Errorf("no connections, 200 expected: got %v", err)
	}
}
