package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// tlsPort is the port that implies TLS.
const tlsPort = 443

// encrypted reports a stream type that would send clear text by mistake. It checks the stream type as a whole, in any
// order of its keys. "tls": false or the scheme of a URL states that clear text is intended.
func (c *checker) encrypted(s *Stream, m *members) {
	scheme := schemeOf(s.Endpoint.String())
	secure, isURL := schemes[scheme]
	if s.TLS && isURL && !secure {
		c.disagree(m, "endpoint", "the scheme "+scheme+" is without the TLS that \"tls\": true demands", "write "+securedScheme(scheme)+", or drop \"tls\"")
	}
	if s.secured() {
		return
	}
	tls := streamKeys.find("tls")
	said := m.given.has(tls)
	follows := s.HTTP.AllowRedirects && (said || isURL) // clear text is intended, and a redirect may lead to TLS
	for i := range tlsKeys {
		row := streamKeys.find(tlsKeys[i].name)
		if row == tls || !m.given.has(row) {
			continue
		}
		c.atMember(m, row, func() {
			switch name := tlsKeys[i].name; {
			case follows && name != "client_cert":
				c.warnName("the stream type starts in clear text; this applies only after a redirect to TLS", "")
			case said && name != "tls_trust_store":
				c.warnName("has no effect with \"tls\": false", "remove it")
			default:
				c.badName("has no effect without TLS: the stream type would send clear text", `set "tls": true, or remove `+name)
			}
		})
	}
	switch port := portOf(literalAuthority(s.Endpoint.String())); {
	case isURL && port == strconv.Itoa(tlsPort):
		c.atMember(m, streamKeys.find("endpoint"), func() {
			c.warn("clear text on port 443, because of the scheme", "write "+securedScheme(scheme)+" if TLS is intended")
		})
	case isURL || s.Port != tlsPort || EndpointFormOf(s.Endpoint.String()) == UnixEndpoint || EndpointFormOf(s.Endpoint.String()) == VhostEndpoint:
	case said:
		c.atMember(m, streamKeys.find("port"), func() {
			c.warn("clear text on port 443, since \"tls\" is false", "set \"tls\": true if TLS is intended")
		})
	default:
		c.disagree(m, "port", "port 443 without \"tls\": the stream type would send clear text", `set "tls": true; clear text on this port needs "tls": false`)
	}
}

// securedScheme is the scheme that means the same over TLS.
func securedScheme(scheme string) string {
	switch scheme {
	case "ws", "mqtt", "http":
		return scheme + "s"
	}
	return "https"
}

// advice warns about what will not work, or not as it looks.
func (c *checker) advice(s *Stream, m *members) {
	if !c.advise {
		return
	}
	at := func(key string, f func(msg, fix string), msg, fix string) {
		c.atMember(m, streamKeys.find(key), func() { f(msg, fix) })
	}
	refused := "streams of this type are refused when they are created"
	switch {
	case s.Protocol == MQTT:
		at("protocol", c.warn, "mqtt is read and checked, but not implemented yet: "+refused, "")
	case s.LocalSink && !s.Server:
		at("local_sink", c.warn, "local sinks are not in the specification and not implemented: "+refused, "")
	case s.Auth != nil:
		at("use_auth", c.warn, "authentication is read and checked, but not implemented yet: "+refused, "")
	case s.NeedsSocks5(""):
		at("via-socks5", c.warn, "SOCKS5 is read and checked, but not implemented yet: "+refused, "")
	}
	switch s.Name {
	case "fetch_policy":
		c.warn("no policy is fetched yet: a stream of this type does nothing by itself", "")
	case "captive_portal_detect":
		c.warn("captive portals are not detected yet: a stream of this type does nothing by itself", "")
	case "_lws_smd":
		c.warn("system messages are not in the specification and not implemented: "+refused, "")
	}
	c.adviceOnEndpoint(s, at)
	if s.NailedUp && s.Opportunistic {
		at("opportunistic", c.warnName, "nailed_up is given too, and takes precedence", "remove one of them")
	}
	if r := s.Retry; s.NailedUp && !s.Server && r.Conceal < Forever {
		at("nailed_up", c.warnName, fmt.Sprintf("after %d failures in a row, about %v, the stream stops trying until the program asks it to connect", r.Conceal+1, r.patience()),
			`give it a retry scheme with "conceal": 65535 never to give up`)
	}
	if s.NailedUp && !s.Server && (s.Protocol == H1 || s.Protocol == H2) && !s.HTTP.RetryUnsafe && !idempotent(s.HTTP.Method) {
		at("nailed_up", c.warnName, "when the connection is lost, the request is not repeated: the server may have processed it, and "+s.HTTP.Method+" is not idempotent",
			`set "http_retry_unsafe": true if the request may be repeated`)
	}
	for i := range s.Metadata {
		name := s.Metadata[i].Name
		if j := strings.LastIndexByte(name, '|'); j >= 0 && encodingNames[name[j+1:]] != plain && s.MetadataIndex(name[:j]) >= 0 {
			at("metadata", c.warn, "${"+shorten(name)+"} is the metadata of that name, not an encoding of "+quote(name[:j]), "rename it")
		}
	}
	if name, as, inside := s.HTTP.URL.bare(); inside && !s.Server {
		at("http_url", c.warn, "the value of ${"+shorten(name)+"} is inserted as it is, and may add segments and arguments",
			"write ${"+shorten(name)+"|"+as+"} to encode it")
	}
}

// adviceOnEndpoint warns about places that cannot be reached.
func (c *checker) adviceOnEndpoint(s *Stream, at func(key string, f func(msg, fix string), msg, fix string)) {
	text, fixed := s.Endpoint.Literal()
	form := EndpointFormOf(text)
	switch {
	case s.Server && form == VhostEndpoint:
		at("endpoint", c.warn, "joining a vhost is not implemented yet: streams of this type are refused when they are created", "")
	case !s.Server && fixed && (form == HostEndpoint || form == URLEndpoint):
		host := text
		if form == URLEndpoint {
			host = literalAuthority(text)
			if port := portOf(host); port != "" {
				host = host[:len(host)-len(port)-1]
			}
		}
		if needsDNS(host) {
			at("endpoint", c.warn, "the name "+quote(host)+" needs DNS, which this release does not have",
				"give an address, a name of the hosts file, or a resolver of the program's own")
		}
	}
	if err := s.CheckReady(); err != nil {
		c.warnName(err.(*incomplete).what, err.(*incomplete).fix)
	}
}

// needsDNS reports whether a host is a name that not every machine knows.
func needsDNS(host string) bool {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host != "localhost" && !strings.HasSuffix(host, ".localhost") // RFC 6761 s.6.3
}

// idempotent reports whether a method may be repeated (RFC 9110 s.9.2.2). The empty one is GET.
func idempotent(method string) bool {
	switch method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// bare returns the first value inside the path or query of a target that is not encoded, and the encoding that it needs. A
// value that is the whole path, or that begins the target, is a path of the program.
func (t *Template) bare() (name, as string, found bool) {
	query, inside := false, false // after the '?'; after some text of the path
	for i := range t.parts {
		p := &t.parts[i]
		query = query || strings.IndexByte(p.text, '?') >= 0
		inside = inside || strings.Trim(p.text, "/") != ""
		if p.index < 0 {
			continue
		}
		last := i+1 == len(t.parts) || strings.HasPrefix(t.parts[i+1].text, "?")
		switch {
		case p.encoding != plain:
		case query:
			return p.name, "query", true
		case inside || !last:
			return p.name, "path", true
		}
		inside = true
	}
	return "", "", false
}
