package ss

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// target is where a client stream connects to, made from endpoint, port and http_url.
type target struct {
	dial      wsi.Target
	tls       bool
	secure    *tls.Client // nil without tls
	authority []byte      // for Host: host, and port when it is not the scheme's own
	path      string      // the URL form's path, which goes before http_url; "" for none
	from      string      // the endpoint it was made of
}

// parseTarget understands the forms that an endpoint may have: a host; "+path" and "+@name", Unix
// sockets; "scheme://host[:port][/path]", which overrides port and says whether tls is used.
func parseTarget(endpoint string, port uint16, tls bool) (t target, err error) {
	bad := func(why string) (target, error) {
		return target{}, fmt.Errorf("endpoint %s: %w: %s", roles.Quote(endpoint), ErrEndpoint, why)
	}
	if strings.HasPrefix(endpoint, "+") {
		if len(endpoint) < 2 || endpoint == "+@" {
			return bad("a Unix socket needs a path after the +")
		}
		return target{dial: wsi.Target{Path: endpoint[1:]}, tls: tls, authority: []byte("localhost")}, nil
	}
	host := endpoint
	if scheme, rest, ok := strings.Cut(endpoint, "://"); ok {
		switch strings.ToLower(scheme) {
		case "https", "wss", "mqtts":
			tls = true
		case "http", "ws", "mqtt", "tcp", "raw":
			if tls {
				return bad("the scheme " + roles.Quote(scheme) + " is without the tls that the stream type enforces")
			}
		default:
			return bad("the scheme " + roles.Quote(scheme) + " is not known; use http or https")
		}
		host = rest
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			host, t.path = rest[:i], rest[i:]
			if t.path[0] == '?' {
				t.path = "/" + t.path
			}
		}
		h, p, ok, why := cutPort(host)
		switch {
		case why != "":
			return bad(why)
		case ok:
			host, port = h, p
		default:
			host, port = h, 80
			if tls {
				port = 443
			}
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" {
		return bad("there is no host in it; set \"endpoint\", or the metadata it is made of")
	}
	if len(host) > maxHost {
		return bad(fmt.Sprintf("a host name of %d octets; %d are possible", len(host), maxHost))
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return bad("a host with a colon is an IPv6 address, and this is none")
	}
	if strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return bad("a label of the host name is empty; is the metadata it is made of set?")
	}
	if i := strings.IndexFunc(host, func(c rune) bool { return c <= ' ' || strings.ContainsRune("/?#@\\\"<>[]\x7f", c) }); i >= 0 {
		return bad(fmt.Sprintf("%q cannot stand in a host name", host[i]))
	}
	if port == 0 {
		return bad("there is no port; set \"port\"")
	}
	t.dial = wsi.Target{Host: host, Port: port}
	t.tls = tls
	t.authority = appendAuthority(nil, host, port, tls)
	return t, nil
}

// maxHost is the longest host name (RFC 1035 s.2.3.4, as text), with room for the zone of an address.
const maxHost = 255

// cutPort splits host:port, with an IPv6 literal in brackets.
func cutPort(s string) (host string, port uint16, ok bool, why string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, 0, false, ""
	}
	if strings.HasPrefix(s, "[") != strings.Contains(s[:i], "]") || !strings.HasPrefix(s, "[") && strings.Contains(s[:i], ":") {
		return "", 0, false, "an IPv6 address stands in brackets"
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, false, fmt.Sprintf("%q is no port", s[i+1:])
	}
	return s[:i], uint16(n), true, ""
}

// serverName is the name that the server's certificate must have.
func (t *target) serverName() string {
	if t.dial.Host == "" {
		return string(t.authority) // a Unix socket: whoever answers there is the local host
	}
	return t.dial.Host
}

func appendAuthority(b []byte, host string, port uint16, tls bool) []byte {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		b = append(b, '[')
		b = append(b, a.WithZone("").String()...)
		b = append(b, ']')
	} else {
		b = append(b, host...)
	}
	if tls && port == 443 || !tls && port == 80 {
		return b
	}
	b = append(b, ':')
	return strconv.AppendUint(b, uint64(port), 10)
}

// findTarget works out where h connects to now. The result is kept while it cannot change: a client
// certificate in blobs can.
func (o *onward) findTarget() (*target, error) {
	h := o.h
	p := h.kind.pol
	lit, fixed := p.Endpoint.Literal()
	renewable := p.HasClientCert && int(p.ClientCert) >= len(h.rt.cfg.ClientCerts)
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
		name := t.serverName()
		if t.secure, err = h.rt.secureClient(p, name, true); err != nil {
			return nil, fmt.Errorf("stream type %s: tls to %q: %w", p.Name, name, err)
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
