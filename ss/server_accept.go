package ss

import (
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// The protocol of an accepted connection. This file is above those of all accepted connections.

// Accept implements wsi.Acceptor.
func (s *server) Accept(*wsi.Listener) (*wsi.Wsi, roles.Upper) {
	if s.over() {
		return nil, nil
	}
	protocol := s.h.streamType.pol.Protocol
	raw := protocol == policy.Raw
	switch {
	case raw && s.secure != nil:
		a := new(acceptedRawTLS)
		a.s.InitServer(s.secure, &a.w)
		a.s.SetUpper(a.init(s, &a.s))
		return &a.w, &a.s
	case raw:
		a := new(acceptedRaw)
		return &a.w, a.init(s, &a.w)
	case s.secure != nil:
		a, u := new(acceptedTLS), new(acceptedHTTP)
		a.s.InitServer(s.secure, &a.w)
		u.init(s, &a.h, &a.s)
		a.s.SetChooser(u.choose)
		return &a.w, &a.s
	case protocol == policy.H2:
		a, u := new(accepted), new(sniffedHTTP)
		u.init(s, &a.h, &a.w)
		return &a.w, u
	}
	a, u := new(accepted), new(acceptedHTTP)
	u.init(s, &a.h, &a.w)
	return &a.w, u
}

// choose selects the role of a connection over TLS: see tls.Session.SetChooser. A client without ALPN uses HTTP/1.1
// (RFC 9113 s.3.2).
func (a *acceptedHTTP) choose(alpn string) roles.Upper {
	if alpn == "h2" {
		return speakH2(a.origin.server, a.h, a.Lower())
	}
	return a
}

// acceptedRawTLS is an accepted raw stream with its TLS session.
type acceptedRawTLS struct {
	acceptedRaw
	s tls.Session
}
