package cookie

import (
	"net/netip"
	"strings"
)

// isAddress says whether a host is an IP address: it has no domains (RFC 6265 s.5.1.3).
func isAddress(host string) bool {
	if host == "" || !isDigit(host[len(host)-1]) && strings.IndexByte(host, ':') < 0 {
		return false // no name of the DNS ends in a digit (RFC 1123 s.2.1), every IPv4 address does
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// domainMatch says whether host is domain or below it (RFC 6265 s.5.1.3). Both are in lower case.
func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	return strings.HasSuffix(host, domain) && host[len(host)-len(domain)-1] == '.' && !isAddress(host)
}

// pathMatch says whether a request's path is the cookie's or below it (RFC 6265 s.5.1.4).
func pathMatch(path []byte, cookie string) bool {
	if len(path) == 0 {
		return cookie == "/"
	}
	if len(path) < len(cookie) || string(path[:len(cookie)]) != cookie {
		return false
	}
	return len(path) == len(cookie) || cookie[len(cookie)-1] == '/' || path[len(cookie)] == '/'
}

// defaultPath is the path of a cookie that names none (RFC 6265 s.5.1.4).
func defaultPath(path []byte) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' && path[0] == '/' {
			return string(path[:i])
		}
	}
	return "/"
}
