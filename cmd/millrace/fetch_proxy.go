package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/millrace/millrace/policy"
)

// fromEnvironment is the value of a variable that names a proxy, or the hosts that need none. curl and others read
// https_proxy and no_proxy in upper case too. HTTP_PROXY they do not: to a CGI program it is a header field of the
// client's.
func fromEnvironment(name string) string {
	v := os.Getenv(name)
	if v == "" && name != "http_proxy" {
		v = os.Getenv(strings.ToUpper(name))
	}
	return v
}

// checkProxies refuses targets that the environment sends through an HTTP proxy, as long as that is not built: none of
// them may go out directly. It returns the SOCKS5 proxy of the environment, "" if no_proxy exempts all targets.
func (o *fetchFlags) checkProxies(p *policy.Policy) (socks string, err error) {
	exempt := fromEnvironment("no_proxy")
	for i := range o.targets {
		t := &o.targets[i]
		s := p.Stream(o.streamFor(t))
		if s == nil || s.Server || policy.EndpointFormOf(s.Endpoint.String()) == policy.UnixEndpoint {
			continue
		}
		host, secure := t.where(s)
		if noProxy(exempt, host) {
			continue
		}
		name := "http_proxy"
		if secure {
			name = "https_proxy"
		}
		if v := fromEnvironment(name); v != "" {
			return "", fmt.Errorf("%s in the environment asks for an HTTP proxy, which is not built yet, and %q would be reached directly; "+
				"unset it, or name the host in no_proxy", name, host)
		}
		socks = os.Getenv("socks_proxy")
	}
	return socks, nil
}

// where is the host of a target, and whether it is reached over TLS, as far as policy and metadata tell before the
// stream exists.
func (t *target) where(s *policy.Stream) (host string, secure bool) {
	text, err := s.Endpoint.Append(nil, func(index int) (v []byte) {
		for _, m := range t.metadata {
			if m.name == s.Metadata[index].Name {
				v = []byte(m.value)
			}
		}
		return v
	})
	if err != nil {
		return "", s.TLS // the attempt says what is wrong
	}
	host, secure = string(text), s.TLS
	if scheme, rest, ok := strings.Cut(host, "://"); ok {
		switch host, _, _ = strings.Cut(rest, "/"); strings.ToLower(scheme) {
		case "https", "wss", "mqtts":
			secure = true
		}
	}
	return hostOf(host), secure
}

// hostOf is the host of host[:port], where an IPv6 address with a port has brackets.
func hostOf(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return inner
	}
	if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	return s
}

// noProxy reports whether the list in no_proxy exempts a host: it has "*", the host, or a domain above it.
func noProxy(list, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, err := netip.ParseAddr(host)
	isName := err != nil
	for _, e := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' }) {
		if e == "*" {
			return true
		}
		e = strings.TrimPrefix(hostOf(strings.ToLower(e)), "*")
		if e = strings.TrimPrefix(e, "."); e != "" && (host == e || isName && strings.HasSuffix(host, "."+e)) {
			return true
		}
	}
	return false
}
