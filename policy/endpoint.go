package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// EndpointForm is what kind of place an endpoint names. The literal text of the policy decides it, never a value.
type EndpointForm uint8

// The forms of an endpoint.
const (
	NoEndpoint    EndpointForm = iota // none is given
	HostEndpoint                      // a host, or on a server an interface or address
	URLEndpoint                       // scheme://host[:port][/path]
	UnixEndpoint                      // +path or +@name
	VhostEndpoint                     // !name, on a server
)

// EndpointFormOf returns the form of an endpoint, which may have ${name}s.
func EndpointFormOf(endpoint string) EndpointForm {
	literal, _, _ := strings.Cut(endpoint, "${")
	switch {
	case endpoint == "":
		return NoEndpoint
	case literal == "":
		return HostEndpoint
	case literal[0] == '+':
		return UnixEndpoint
	case literal[0] == '!':
		return VhostEndpoint
	case strings.Contains(literal, "://"):
		return URLEndpoint
	}
	return HostEndpoint
}

// schemes are the URL schemes of endpoints; the value reports whether they imply TLS.
var schemes = map[string]bool{
	"http": false, "ws": false, "mqtt": false, "tcp": false, "raw": false,
	"https": true, "wss": true, "mqtts": true,
}

// schemeOf returns the scheme of an endpoint in lower case, "" when it is no URL.
func schemeOf(endpoint string) string {
	if EndpointFormOf(endpoint) != URLEndpoint {
		return ""
	}
	scheme, _, _ := strings.Cut(endpoint, "://")
	return strings.ToLower(scheme)
}

// secured reports whether connections of the stream type use TLS: by its key, or by the scheme of its endpoint.
func (s *Stream) secured() bool { return s.TLS || schemes[schemeOf(s.Endpoint.String())] }

// portOf returns the port of a literal host:port as it is written, "" when there is none.
func portOf(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.LastIndexByte(authority, ']') > i || authority[0] == '[' && strings.IndexByte(authority, ']') < 0 {
		return ""
	}
	return authority[i+1:]
}

// literalAuthority returns the host[:port] of a URL endpoint, ${}s and all.
func literalAuthority(endpoint string) string {
	_, rest, _ := strings.Cut(endpoint, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// locateEndpoint sets the slots of the values of an endpoint, and checks its literal text.
func (t *Template) locateEndpoint(server bool, bad func(msg, fix string)) {
	t.most = MaxTarget
	form := EndpointFormOf(t.text)
	scheme := schemeOf(t.text)
	_, known := schemes[scheme]
	switch {
	case form == NoEndpoint:
		return
	case scheme == "file":
		bad("file:// is not an endpoint", "the specification does not have it; read the file in the program")
		return
	case form == VhostEndpoint && !server:
		bad("! joins the vhost of a server", `name a host, or add "server": true`)
		return
	case form == UnixEndpoint:
		if name := strings.TrimPrefix(t.text[1:], "@"); name == "" {
			bad("a Unix socket needs a path or a name", `write "+/path" or "+@name"`)
		}
	case form == URLEndpoint && !known && !server:
		bad("unknown scheme "+quote(scheme), "use http, https, ws, wss, mqtt, mqtts, tcp or raw")
		return
	case form == HostEndpoint && strings.Contains(t.text, "://"):
		bad("the scheme depends on a value", "write it out, as in https://${host}")
		return
	}
	e := endpointScan{form: form, at: inHost}
	if form == URLEndpoint {
		e.skip = len(scheme) + len("://")
	}
	for i := range t.parts {
		p := &t.parts[i]
		e.literal(p.text)
		if p.name == "" {
			continue
		}
		next, last := "", i+1 == len(t.parts)
		if !last {
			next = t.parts[i+1].text
		}
		p.slot = e.value(next, last)
		if p.slot != inTarget {
			p.refuseEncoding(bad)
		}
	}
	if len(t.literals()) > t.most {
		bad(fmt.Sprintf("%d bytes", len(t.literals())), fmt.Sprintf("%d are possible", t.most))
	}
	if wrong, fix := checkAuthority(t, form); wrong != "" && !server {
		bad(wrong, fix)
	}
}

// endpointScan follows the literal text of an endpoint.
type endpointScan struct {
	form  EndpointForm
	at    slot // the slot of a value at this point
	skip  int  // bytes of the scheme
	begun bool // there is something of the host already
}

func (e *endpointScan) literal(text string) {
	if e.form == UnixEndpoint {
		e.at = inSocket
		return
	}
	n := min(e.skip, len(text))
	e.skip -= n
	for i := n; i < len(text); i++ {
		c := text[i]
		switch {
		case e.at == inTarget:
			return
		case e.form == URLEndpoint && (c == '/' || c == '?'):
			e.at = inTarget
		case c == '[':
			e.at = inLiteral
		case c == ']':
			e.at = inHost
		case e.form == URLEndpoint && c == ':' && e.at == inHost:
			e.at = inPort
		}
		e.begun = true
	}
}

// value returns the slot of a value, given the literal text after it, "" at the end.
func (e *endpointScan) value(next string, last bool) slot {
	p := e.at
	if ends := last || e.form == URLEndpoint && next != "" && strings.IndexByte(":/?", next[0]) >= 0; p == inHost && !e.begun && ends {
		p = wholeHost
	}
	e.begun = true
	return p
}

// checkAuthority returns the problem of the host and port of a client's endpoint, "" if there is none. Values
// count as what fits.
func checkAuthority(t *Template, form EndpointForm) (wrong, fix string) {
	var b strings.Builder
	for i := range t.parts {
		p := &t.parts[i]
		b.WriteString(p.text)
		switch {
		case p.name == "":
		case p.slot == inLiteral:
			return "", "" // known when there is a value
		case p.slot == inTarget:
		default:
			b.WriteByte('1')
		}
	}
	text := b.String()
	host := text
	switch form {
	case URLEndpoint:
		host = literalAuthority(text)
		if strings.Contains(host, "@") {
			return "user and password in a URL are not used", "drop them; http_auth_header sends a token"
		}
		if strings.Contains(text, "#") {
			return "a fragment is never sent", "drop the # and what follows"
		}
		if port := portOf(host); port != "" || strings.HasSuffix(host, ":") {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return quote(port) + " is not a port", "a port is 1 to 65535"
			}
			host = host[:len(host)-len(port)-1]
		}
	case HostEndpoint:
	default:
		return "", ""
	}
	if host == "" {
		return "there is no host in it", "write one after ://"
	}
	if inner, open := strings.CutPrefix(host, "["); open || strings.Contains(host, ":") {
		inner, closed := strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); err != nil || !a.Is6() || open != closed || form == URLEndpoint && !open {
			if form == HostEndpoint && !open && strings.Count(host, ":") == 1 {
				return "a host has no port in it", `give "port", or write a URL`
			}
			return quote(host) + " is not a host", "an IPv6 address in a URL needs [ ]"
		}
		return "", ""
	}
	if i := strings.IndexAny(host, "/?#@\\\"<>[]"); i >= 0 {
		return fmt.Sprintf("%q is not allowed in a host name", host[i]), "write a URL, as in http://host/path, or drop it"
	}
	return "", ""
}
