package main

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/ss"
)

// demoServer is a server stream of the demo.
type demoServer struct {
	name, shows  string
	handle       *ss.Handle
	port         uint16
	trace        *trace
	hello, large *service // of the web server
}

// largeSize is the size of the demo's larger body: more than any buffer on its path.
const largeSize = 4 << 20

// serve opens the servers.
func (d *demo) serve() error {
	text := func(b []byte, mime string) *service {
		return &service{runner: d.runner, http: true, mime: mime, content: content{text: b, size: int64(len(b))}}
	}
	hello := text([]byte("Hello from a secure stream.\n"), "text/plain")
	large := text(pattern(largeSize, 1), "application/octet-stream")
	echoes := &service{runner: d.runner, http: true, echo: true}
	bytes := &service{runner: d.runner, echo: true}
	web := func() *demoServer { return &demoServer{shows: "answers by path", hello: hello, large: large} }
	d.web, d.tlsWeb = web(), web()
	back := func() *demoServer { return &demoServer{shows: "echoes its input"} }
	d.pipe, d.tlsPipe, d.talk, d.tlsTalk = back(), back(), back(), back()
	page := func(*ss.Handle) ss.Stream {
		return &demoWeb{hello: reply{sv: hello}, large: reply{sv: large}, echo: echo{sv: echoes}}
	}
	pipe := func(*ss.Handle) ss.Stream { return &echo{sv: bytes} }
	talk := func(*ss.Handle) ss.Stream { return &echo{sv: echoes} }
	for _, s := range []struct {
		*demoServer
		name   string
		accept func(*ss.Handle) ss.Stream
	}{{d.web, "web", page}, {d.pipe, "pipe", pipe}, {d.tlsWeb, "tls_web", page}, {d.tlsPipe, "tls_pipe", pipe},
		{d.talk, "talk", talk}, {d.tlsTalk, "tls_talk", talk}} {
		s.demoServer.name = s.name
		if err := s.open(d, s.accept); err != nil {
			return err
		}
	}
	return nil
}

func (s *demoServer) open(d *demo, accept func(h *ss.Handle) ss.Stream) error {
	h, err := d.runner.rt.Create(ss.Info{StreamType: s.name, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			return nil
		}
		return accept(h)
	}})
	if err != nil {
		return err
	}
	at, _ := h.Addr()
	s.handle, s.port, s.trace = h, at.IP.Port(), d.traces[h]
	return nil
}

// demoWeb answers the requests of a connection by their path.
type demoWeb struct {
	hello, large reply
	echo         echo
	present      ss.Stream // answers the current request; nil: 404
}

// State selects the stream that answers the request.
func (w *demoWeb) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		path, _ := h.Metadata("path")
		switch string(path) {
		case "/hello":
			w.present = &w.hello
		case "/large":
			w.present = &w.large
		case "/echo":
			w.present = &w.echo
		default:
			w.present = nil
			h.ServerAck(404)
			return h.RequestTxLen(0)
		}
	}
	if w.present != nil {
		return w.present.State(h, s, n)
	}
	return ss.OK
}

// Rx passes payload to the selected stream.
func (w *demoWeb) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if w.present != nil {
		return w.present.Rx(h, b, f)
	}
	return ss.OK
}

// Tx asks the selected stream for payload.
func (w *demoWeb) Tx(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if w.present != nil {
		return w.present.Tx(h, ordinal, buf)
	}
	return 0, ss.SOM | ss.EOM, ss.OK
}

// visits counts the connections and requests of a server. A connection whose handshake fails does not count: it has no
// stream.
type visits struct{ connections, requests int }

// verify returns the differences between what a server stream and its accepted streams did and what was expected.
func (s *demoServer) verify(d *demo, due visits) (saw visits, faults []string) {
	if err := differ(s.trace.states, []ss.State{ss.Creating, ss.Destroying}); err != "" {
		faults = append(faults, err)
	}
	for _, t := range d.order {
		if t.server != s.handle {
			continue
		}
		saw.connections++
		n := 0
		for _, st := range t.states {
			if st == ss.ServerTxn {
				n++
			}
		}
		saw.requests += n
		want := []ss.State{ss.Creating, ss.Connecting, ss.Connected}
		if slices.Contains(t.states, ss.ServerUpgrade) {
			want = append(want, ss.ServerUpgrade)
		}
		for range n {
			want = append(want, ss.ServerTxn)
		}
		want = append(want, ss.Disconnected, ss.Destroying)
		if err := differ(t.states, want); err != "" {
			faults = append(faults, "an accepted stream: "+err)
		}
	}
	if saw != due {
		faults = append(faults, fmt.Sprintf("accepted %d connections with %d requests, want %d with %d",
			saw.connections, saw.requests, due.connections, due.requests))
	}
	return saw, faults
}
