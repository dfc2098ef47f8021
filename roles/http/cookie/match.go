package cookie

import (
	"net/netip"
	"strings"
)

// isAddress reports whether host is an IP address, for which no domain matches (RFC 6265 s.5.1.3).
func isAddress(host string) bool {
	if host == "" || !isDigit(host[len(host)-1]) && strings.IndexByte(host, ':') < 0 {
		return false // a DNS name never ends in a digit (RFC 1123 s.2.1), an IPv4 address always does
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// domainMatch reports whether host is domain or a subdomain of it (RFC 6265 s.5.1.3). Both are in lower case.
func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	return strings.HasSuffix(host, domain) && host[len(host)-len(domain)-1] == '.' && !isAddress(host)
}

// pathMatch reports whether the path of a request is that of the cookie or below it (RFC 6265 s.5.1.4).
func pathMatch(path []byte, cookie string) bool {
	if len(path) == 0 {
		return cookie == "/"
	}
	if len(path) < len(cookie) || string(path[:len(cookie)]) != cookie {
		return false
	}
	return len(path) == len(cookie) || cookie[len(cookie)-1] == '/' || path[len(cookie)] == '/'
}

// defaultPath returns the path of a cookie without a Path, given that of the request (RFC 6265 s.5.1.4).
func defaultPath(path []byte) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' && path[0] == '/' {
			return string(path[:i])
		}
	}
	return "/"
}
