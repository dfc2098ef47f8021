package ss

import (
	"fmt"
)

// The address and the request target of a client stream.

// findTarget returns the target of h: last (nil at first) if the endpoint cannot have changed. A client certificate
// in blobs can change.
func findTarget(h *Handle, last *target) (*target, error) {
	p := h.streamType.pol
	lit, fixed := p.Endpoint.Literal()
	renewable := p.HasClientCert && h.rt.contexts().Renewable(p)
	if fixed && last != nil && !renewable {
		return last, checkPath(h, last)
	}
	if !fixed {
		var err error
		if h.rt.text, err = p.Endpoint.Append(h.rt.text[:0], h.meta.Expand); err != nil {
			h.rt.Counters.ValuesRefused++
			return nil, fmt.Errorf("stream type %s: %w: %w", p.Name, ErrEndpoint, err)
		}
		if last != nil && !renewable && string(h.rt.text) == last.from {
			return last, checkPath(h, last)
		}
		lit = string(h.rt.text)
	}
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
	return &t, checkPath(h, &t)
}

// checkPath reports a value that is not allowed in the request target, before a connection is made.
func checkPath(h *Handle, t *target) (err error) {
	u := &h.streamType.pol.HTTP.URL
	if _, fixed := u.Literal(); !fixed {
		h.rt.text, err = appendPath(h.rt.text[:0], h, t)
	}
	return err
}

// appendPath appends the request target of h at t, with one leading slash: the path of the endpoint's URL, unless
// http_url is set. The error is a *policy.ValueError.
func appendPath(b []byte, h *Handle, t *target) ([]byte, error) {
	u := &h.streamType.pol.HTTP.URL
	if u.Empty() {
		if p := t.path; p != "" {
			return append(b, p...), nil
		}
		return append(b, '/'), nil
	}
	at := len(b)
	b = append(b, '/')
	b, err := u.Append(b, h.meta.Expand)
	if err != nil {
		h.rt.Counters.ValuesRefused++
		return b[:at], fmt.Errorf("stream type %s: %w", h.streamType.pol.Name, err)
	}
	if len(b) > at+1 && b[at+1] == '/' {
		b = append(b[:at], b[at+1:]...)
	}
	return b, nil
}
