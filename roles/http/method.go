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
