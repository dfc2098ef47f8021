package http

import "testing"

// TestIdempotent lists RFC 9110 s.9.2.2: six methods, and no other name, spelling or custom method.
func TestIdempotent(t *testing.T) {
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		if !Idempotent([]byte(m)) {
			t.Errorf("Idempotent(%s) = false, want true", m)
		}
	}
	for _, m := range []string{"POST", "PATCH", "CONNECT", "", "get", "PROPPATCH", "MKCOL", "LOCK", "REBOOT", "GETX", "QUERY"} {
		if Idempotent([]byte(m)) {
			t.Errorf("Idempotent(%q) = true, want false", m)
		}
	}
}
