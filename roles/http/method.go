package http

// Idempotent reports whether a request with this method may be repeated without asking, since two of them have
// the effect of one (RFC 9110 s.9.2.2). Methods are case-sensitive; those that the RFC does not name are not.
func Idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// RedirectMethod returns the method of the request that follows a redirect (RFC 9110 s.15.4): 303 asks for GET,
// 301 and 302 make GET of POST as all clients do, and everything else keeps the method. HEAD stays HEAD.
// Where the result differs from method, the body and the fields that describe it are dropped.
func RedirectMethod(status int, method []byte) []byte {
	switch {
	case status == 303 && string(method) != "HEAD", (status == 301 || status == 302) && string(method) == "POST":
		return methodGET
	}
	return method
}

var methodGET = []byte("GET")

// IsRedirect reports whether a status is one of the redirects that name another place (RFC 9110 s.15.4).
func IsRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}
