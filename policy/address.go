package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrEndpoint means that endpoint, port or URL of a stream type do not make an address.
var ErrEndpoint = errors.New("the policy does not give a usable address")

// Address is where a client stream connects to: a TCP port of a host, or a Unix socket.
type Address struct {
	Host string // name or IP address without brackets, "" for a Unix socket
	Port uint16 // 0 for a Unix socket
	Unix string // path, or @name in the abstract namespace; "" for TCP
	TLS  bool
	// Authority is the value of Host: the host, and the port unless it is the scheme's own.
	Authority string
	// Path is path and query of the URL form, "" for none. It begins with "/".
	Path string
}

// ServerName returns the name that the server's certificate must have. On a Unix socket that is the local host's.
func (a *Address) ServerName() string {
	if a.Host == "" {
		return a.Authority
	}
	return a.Host
}

// MaxHost is the longest host name in octets (RFC 1035 s.2.3.4, as text), with room for the zone of an address.
const MaxHost = 255

// ParseAddress parses an endpoint whose ${name}s were replaced by their values: a host; "+path" or "+@name", a Unix
// socket; or "scheme://host[:port][/path]", which overrides port and sets TLS. tls is the value of the stream type's
// key: a scheme without TLS does not turn it off. Each error is an ErrEndpoint.
func ParseAddress(endpoint string, port uint16, tls bool) (a Address, err error) {
	bad := func(why string) (Address, error) {
		return Address{}, fmt.Errorf("%w: %s", ErrEndpoint, why)
	}
	if strings.HasPrefix(endpoint, "+") {
		if len(endpoint) < 2 || endpoint == "+@" {
			return bad("a Unix socket needs a path after the +")
		}
		return Address{Unix: endpoint[1:], TLS: tls, Authority: "localhost"}, nil
	}
	host := endpoint
	if scheme, rest, ok := strings.Cut(endpoint, "://"); ok {
		secure, known := schemes[strings.ToLower(scheme)]
		switch {
		case !known:
			return bad("the scheme " + quote(scheme) + " is not known; use http or https")
		case secure:
			tls = true
		case tls:
			return bad("the scheme " + quote(scheme) + " is without the tls that the stream type enforces")
		}
		host = rest
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			host, a.Path = rest[:i], rest[i:]
			if a.Path[0] == '?' {
				a.Path = "/" + a.Path
			}
		}
		var explicit bool
		var own uint16
		var why string
		if host, own, explicit, why = cutPort(host); why != "" {
			return bad(why)
		}
		switch {
		case explicit:
			port = own
		case tls:
			port = 443
		default:
			port = 80
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if why := wrongHost(host); why != "" {
		return bad(why)
	}
	if port == 0 {
		return bad("there is no port; set \"port\"")
	}
	a.Host, a.Port, a.TLS = host, port, tls
	a.Authority = authority(host, port, tls)
	return a, nil
}

// wrongHost returns what is wrong with a host, "" if nothing is.
func wrongHost(host string) string {
	if host == "" {
		return "there is no host in it; set \"endpoint\", or the metadata it is made of"
	}
	if len(host) > MaxHost {
		return fmt.Sprintf("a host name of %d octets; %d are possible", len(host), MaxHost)
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return "a host with a colon must be an IPv6 address, and this is not one"
	}
	if strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return "a label of the host name is empty; is the metadata it is made of set?"
	}
	if i := strings.IndexFunc(host, func(c rune) bool { return c <= ' ' || strings.ContainsRune("/?#@\\\"<>[]\x7f", c) }); i >= 0 {
		return fmt.Sprintf("%q is not allowed in a host name", host[i])
	}
	return ""
}

// cutPort splits host:port, with an IPv6 literal in brackets. explicit is false without a port; why is "" unless the
// text is wrong.
func cutPort(s string) (host string, port uint16, explicit bool, why string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, 0, false, ""
	}
	if strings.HasPrefix(s, "[") != strings.Contains(s[:i], "]") || !strings.HasPrefix(s, "[") && strings.Contains(s[:i], ":") {
		return "", 0, false, "an IPv6 address must be in brackets"
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, false, fmt.Sprintf("%q is not a port", s[i+1:])
	}
	return s[:i], uint16(n), true, ""
}

// authority returns the value of Host for a host and port (RFC 9110 s.7.2).
func authority(host string, port uint16, tls bool) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + a.WithZone("").String() + "]"
	}
	if tls && port == 443 || !tls && port == 80 {
		return host
	}
	return host + ":" + strconv.Itoa(int(port))
}
