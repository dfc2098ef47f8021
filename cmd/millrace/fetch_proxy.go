package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/millrace/millrace/policy"
)

// fromEnvironment returns the value of a proxy variable, or of no_proxy. Like curl it reads https_proxy and no_proxy in
// upper case too, but not HTTP_PROXY: in a CGI program that is a header field of the client.
func fromEnvironment(name string) string {
	v := os.Getenv(name)
	if v == "" && name != "http_proxy" {
		v = os.Getenv(strings.ToUpper(name))
	}
	return v
}

// checkProxies refuses targets with an HTTP proxy in the environment, since HTTP proxies are not implemented and these
// targets must not be connected directly. It returns the SOCKS5 proxy of the environment, "" if no_proxy exempts all targets.
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
			return "", fmt.Errorf("%s in the environment requires an HTTP proxy, which is not implemented yet, and %q would be connected directly; "+
				"unset it, or add the host to no_proxy", name, host)
		}
		socks = os.Getenv("socks_proxy")
	}
	return socks, nil
}

// where returns the host of a target, and whether it uses TLS, from the policy and the metadata.
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
		return "", s.TLS // the attempt reports the error
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

// hostOf returns the host of host[:port], where an IPv6 address with a port has brackets.
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
