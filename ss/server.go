package ss

import (
	stdtls "crypto/tls"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/list"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// The listener of a server stream.
//
// Uses h2_server.go back: a listener lists its HTTP/2 connections, to drain them.

// server is the backend of a server stream: the stream owns the listening socket and carries no payload. Each
// accepted connection has a stream of its own, or several.
type server struct {
	defaults
	h    *Handle
	make func(h *Handle) Stream
	l    *wsi.Listener
	// origin is that of streams on HTTP/1.1.
	origin origin
	// h2 lists the HTTP/2 connections.
	h2 list.List[acceptedH2, *acceptedH2]
	// secure is nil without tls.
	secure *tls.Server
	// unix reports whether the listening socket is a Unix socket.
	unix bool
}

// listen opens the listening socket of a server stream.
func (r *Runtime) listen(h *Handle, i Info) (*server, error) {
	p := h.streamType.pol
	endpoint, fixed := p.Endpoint.Literal()
	if !fixed {
		return nil, fmt.Errorf("endpoint %q: %w: a server's endpoint is used before any metadata can be set", p.Endpoint.String(), ErrEndpoint)
	}
	b := wsi.Bind{Host: endpoint, Port: p.Port}
	switch {
	case len(endpoint) > 1 && endpoint[0] == '+':
		b = wsi.Bind{Path: endpoint[1:]}
	case len(endpoint) > 0 && endpoint[0] == '!':
		return nil, fmt.Errorf("endpoint %q: attaching to an existing vhost: %w", endpoint, ErrUnsupported)
	}
	s := &server{h: h, make: i.New, unix: b.Path != ""}
	s.origin.server = s
	if p.TLS {
		var err error
		if s.secure, err = r.contexts().Server(p, i.Certificates); err != nil {
			return nil, err
		}
	}
	var times *wsi.Timeouts
	if p.Protocol == policy.H1 && p.Retry.ValidHup > 0 {
		times = &wsi.Timeouts{Idle: p.Retry.ValidHup} // HTTP/1.1 cannot ask a silent peer
	}
	l, err := r.net.Listen(b, loop.ListenOptions{
		Backlog: r.cfg.Backlog, ReusePort: r.cfg.ReusePort,
		KeepAlive: h.streamType.socket.KeepAlive, UserTimeout: h.streamType.socket.UserTimeout,
	}, times, s)
	if err != nil {
		return nil, err
	}
	s.l = l
	return s, nil
}

func (s *server) connect(*Handle, bool) Ret         { return OK }
func (s *server) requestTx(*Handle) Ret             { return OK }
func (s *server) flow(*Handle)                      {}
func (s *server) settle(h *Handle, _ time.Duration) { h.flags &^= wantDisconnect }
func (s *server) describe(*Handle) string           { return "listening on " + s.l.Addr().String() }
func (s *server) listens() bool                     { return true }
func (s *server) addr() (loop.Addr, bool)           { return s.l.Addr(), true }

func (s *server) protocol() (p policy.Protocol, ok bool) { return p, false }

func (s *server) setCertificates(h *Handle, list []stdtls.Certificate) error {
	if s.secure == nil {
		return s.defaults.setCertificates(h, list)
	}
	return s.secure.SetCertificates(list)
}

// drain closes the listener. Connections that it accepted drain by themselves, HTTP/2 connections with all their
// streams.
func (s *server) drain(*Handle) {
	s.l.Close()
	s.drainH2()
}

// release closes the socket, and destroys every stream that was accepted from it.
func (s *server) release(h *Handle) {
	s.l.Close()
	h.ForEachClient(func(c *Handle) { c.Destroy() })
	s.drainH2()
}

// drainH2 ends each HTTP/2 connection when its requests in progress are answered.
func (s *server) drainH2() {
	for c := s.h2.First(); c != nil; c = s.h2.Next(c) {
		c.Drain()
	}
}

// ForEachClient calls f for every stream accepted from the server stream h.
func (h *Handle) ForEachClient(f func(c *Handle)) { h.rt.table.eachClient(h, f) }

// over reports whether the server accepts no more connections.
func (s *server) over() bool { return s.h.flags&doomed != 0 || s.h.rt.drain != nil }

// start takes a new accepted stream to CONNECTING. It returns false if the stream destroyed itself in CREATING.
func (s *server) start(h *Handle, be backend) bool {
	r := s.h.rt
	*h = Handle{rt: r, streamType: s.h.streamType, hint: -1, be: be}
	o := h.streamType.socket
	o.KeepAlive, o.UserTimeout = loop.KeepAlive{}, 0 // inherited from the listening socket
	if o != (loop.SocketOptions{}) {
		if err := be.wsi().SetOptions(o); err != nil {
			r.log.Warn("ss: the policy's attr_ settings could not be applied", "stream", h.StreamType(), "err", err)
		}
	}
	if !h.begin(s.make) {
		return false
	}
	h.tell(Connecting, Notice{})
	return true
}

// origin is the listener, and the HTTP/2 connection, of an accepted stream.
type origin struct {
	server *server
	h2     *acceptedH2 // nil on HTTP/1.1
}
