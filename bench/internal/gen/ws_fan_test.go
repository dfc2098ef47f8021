package gen

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// fanned serves a fan: a connection that sends one octet subscribes, and receives print(m) for each longer message m.
func fanned(print func(m string) string) func(c net.Conn) {
	var mu sync.Mutex
	var members []net.Conn
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, switching+WSAccept([]byte(wsKey))+"\r\n\r\n")
		for {
			m, err := readMasked(r)
			if err != nil {
				return
			}
			mu.Lock()
			if len(m) == 1 {
				members = append(members, c)
				io.WriteString(c, serverFrame(0x82, m))
			} else {
				for _, c := range members {
					io.WriteString(c, print(m)) // errors of closed subscribers do not matter
				}
			}
			mu.Unlock()
		}
	}
}

func TestSpread(t *testing.T) {
	whole := func(m string) string { return serverFrame(0x82, m) }
	addr := raw(t, fanned(whole))
	if err := ProbeFan(addr); err != nil {
		t.Error(err)
	}
	r, err := Spread(Fan{Addr: addr, Subs: 20, Size: 300}, window())
	if err != nil || r.Done < 20 || r.Latency.Quantile(0.5) <= 0 {
		t.Errorf("got %d messages, %v", r.Done, err)
	}
}

// A wrong broadcast ends the measurement, and fails the probe.
func TestSpreadRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		print      func(m string) string
	}{
		{"too short", "octets, last true", func(m string) string { return serverFrame(0x82, m[1:]) }},
		{"twice", "after the end of the latest", func(m string) string { return serverFrame(0x82, m) + serverFrame(0x82, m) }},
		{"of another message", "differ from the message sent", func(m string) string { return serverFrame(0x82, strings.Repeat("x", len(m))) }},
	} {
		addr := raw(t, fanned(tc.print))
		if _, err := Spread(Fan{Addr: addr, Subs: 1, Size: 300}, window()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
		if err := ProbeFan(addr); err == nil {
			t.Errorf("%s: the probe accepts it", tc.name)
		}
	}
	// An echo server sends messages to the publisher, which has not subscribed.
	addr := raw(t, babbler(func(_ int, m string) string { return serverFrame(0x82, m) }))
	if _, err := Spread(Fan{Addr: addr, Subs: 1, Size: 300}, window()); err == nil || !strings.Contains(err.Error(), "which has not subscribed") {
		t.Errorf("an echo: got %v", err)
	}
}
