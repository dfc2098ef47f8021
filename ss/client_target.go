package ss

import (
	"fmt"
)

// Where a client stream connects to now, and what it asks for there.

// findTarget works out where h connects to now. The result is kept while it cannot change: a client
// certificate in blobs can.
func (o *onward) findTarget() (*target, error) {
	h := o.h
	p := h.kind.pol
	lit, fixed := p.Endpoint.Literal()
	renewable := p.HasClientCert && h.rt.contexts().Renewable(p)
	if fixed && o.target != nil && !renewable {
		return o.target, o.checkPath()
	}
	if !fixed {
		var err error
		if h.rt.text, err = p.Endpoint.Append(h.rt.text[:0], h.expand); err != nil {
			h.rt.Counters.ValuesRefused++
			return nil, fmt.Errorf("stream type %s: %w: %w", p.Name, ErrEndpoint, err)
		}
		if o.target != nil && !renewable && string(h.rt.text) == o.target.from {
			return o.target, o.checkPath()
		}
		lit = string(h.rt.text)
	}
	o.target = nil
	t, err := parseTarget(lit, p.Port, p.TLS)
	if err != nil {
		return nil, fmt.Errorf("stream type %s: %w", p.Name, err)
	}
	if t.tls {
		if t.secure, err = h.rt.secureClient(p, t.name, true); err != nil {
			return nil, fmt.Errorf("stream type %s: tls to %q: %w", p.Name, t.name, err)
		}
	}
	t.from = lit
	o.target = &t
	return o.target, o.checkPath()
}

// checkPath reports a value that is not allowed in the request target, before anything is connected for it.
func (o *onward) checkPath() (err error) {
	u := &o.h.kind.pol.HTTP.URL
	if _, fixed := u.Literal(); !fixed {
		o.h.rt.text, err = o.appendPath(o.h.rt.text[:0])
	}
	return err
}

// appendPath makes the request target: the path of the URL form, unless http_url says more, with one
// slash in front. The error is a *policy.ValueError.
func (o *onward) appendPath(b []byte) ([]byte, error) {
	h := o.h
	u := &h.kind.pol.HTTP.URL
	if u.Empty() {
		if p := o.target.path; p != "" {
			return append(b, p...), nil
		}
		return append(b, '/'), nil
	}
	at := len(b)
	b = append(b, '/')
	b, err := u.Append(b, h.expand)
	if err != nil {
		h.rt.Counters.ValuesRefused++
		return b[:at], fmt.Errorf("stream type %s: %w", h.kind.pol.Name, err)
	}
	if len(b) > at+1 && b[at+1] == '/' {
		b = append(b[:at], b[at+1:]...)
	}
	return b, nil
}
