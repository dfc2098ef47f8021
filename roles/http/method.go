package http

// Idempotent reports whether a request with this method may be repeated automatically, since several have the effect of
// one (RFC 9110 s.9.2.2). Methods are case-sensitive. A method that the RFC does not name is not idempotent.
func Idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
