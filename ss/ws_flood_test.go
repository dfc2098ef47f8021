package ss_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

const wsFloodDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"h2","ws_subprotocol":"x"}},
	{"one":{"endpoint":"10.0.0.3","port":80,"protocol":"ws","http_url":"echo","opportunistic":true,"retry":"none"}},
	{"two":{"endpoint":"10.0.0.3","port":80,"protocol":"ws","http_url":"echo","opportunistic":true,"retry":"none","ws_over_h2":true}}]}`

// flood writes frames without end until the other end has closed the connection, or d is over. It returns how many
// octets the other end has read, and how long it took.
func (p *wsPeer) flood(unit []byte, d time.Duration) (octets int, took time.Duration) {
	p.w.t.Helper()
	batch := []byte(strings.Repeat(string(unit), 32<<10/len(unit)+1))
	start := p.w.Net.Now()
	for p.w.Net.Now()-start < d {
		if p.end != "" && p.two == nil { // it has heard enough, and goes on
			n, e := p.host.Write(p.fd, batch)
			if e != 0 && e != syscall.EAGAIN {
				break
			}
			octets += max(n, 0)
		} else if p.end != "" {
			break
		} else {
			p.out = append(p.out, batch...)
			before := len(p.out)
			p.pump()
			octets += before - len(p.out)
		}
		p.wait(time.Millisecond)
	}
	return octets, p.w.Net.Now() - start
}

// TestWebSocketCloseFlood: a peer that answers a Close frame with a flood of Close frames, or of messages, ends the
// connection at once, over HTTP/1.1 and HTTP/2, whichever side sent the first Close frame and on both sides of it.
func TestWebSocketCloseFlood(t *testing.T) {
	const most = 6 << 20 // 4 MiB, and what the sockets hold
	for _, c := range []struct {
		name   string
		server bool // the hostile peer is the server
		h2     bool
		first  bool // it sends the first Close frame
		unit   byte
	}{
		{"server answers with Close frames", true, false, false, wsClose},
		{"server answers with Close frames over h2", true, true, false, wsClose},
		{"server answers with messages", true, false, false, wsBin},
		{"server answers with messages over h2", true, true, false, wsBin},
		{"server begins with Close frames", true, false, true, wsClose},
		{"server begins with Close frames over h2", true, true, true, wsClose},
		{"client answers with Close frames", false, false, false, wsClose},
		{"client answers with Close frames over h2", false, true, false, wsClose},
		{"client answers with messages", false, false, false, wsBin},
		{"client answers with messages over h2", false, true, false, wsBin},
		{"client begins with Close frames", false, false, true, wsClose},
		{"client begins with Close frames over h2", false, true, true, wsClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, wsFloodDoc, plan{})
			s := newScript()
			var p *wsPeer
			m := w.Client
			switch {
			case c.server && c.h2:
				p = w.wsAwait2(func() { w.Create("two", s).Connect() })
			case c.server:
				p = w.wsAwait(func() { w.Create("one", s).Connect() }, nil)
			default:
				m = w.Server
				w.Serve("srv", nil)
				if p = nil; c.h2 {
					p = w.wsDial2(80)
				} else {
					p = w.wsDial(80, "")
				}
				w.Settle()
				s = w.Accepted[0]
			}
			p.until("CONNECTED", func() bool { return s.Told(ss.Connected) > 0 })
			if !c.first {
				s.Handle.Disconnect()
				p.until("the Close frame", func() bool { return p.code >= 0 })
			}
			payload := ""
			if c.unit == wsBin {
				payload = strings.Repeat("x", 1000)
			}
			octets, took := p.flood(p.appendFrame(nil, c.unit|wsFin, payload), 20*time.Second)
			if s.Told(ss.Disconnected) != 1 {
				t.Errorf("the stream received %s, want one DISCONNECTED", s.Line())
			}
			if p.end == "" || octets > most || took > time.Second {
				t.Errorf("the connection took %d octets in %v (end %q), want at most %d in less than a second", octets, took, p.end, most)
			}
			if n := m.Runtime.Net().Open(); n != 0 && !c.h2 {
				t.Errorf("connections left: got %d, want none", n)
			}
			p.close()
		})
	}
}
