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

func TestRedirectMethod(t *testing.T) {
	for _, c := range []struct {
		status       int
		method, want string
	}{
		{301, "GET", "GET"}, {302, "HEAD", "HEAD"}, {303, "HEAD", "HEAD"}, {303, "GET", "GET"},
		{301, "POST", "GET"}, {302, "POST", "GET"}, {303, "POST", "GET"}, {307, "POST", "POST"}, {308, "POST", "POST"},
		{301, "PUT", "PUT"}, {302, "PUT", "PUT"}, {303, "PUT", "GET"}, {307, "PUT", "PUT"}, {308, "DELETE", "DELETE"},
		{303, "DELETE", "GET"}, {301, "PATCH", "PATCH"}, {302, "REBOOT", "REBOOT"},
	} {
		if got := string(RedirectMethod(c.status, []byte(c.method))); got != c.want {
			t.Errorf("RedirectMethod(%d, %s) = %s, want %s", c.status, c.method, got, c.want)
		}
	}
	for s := range 1000 {
		want := s == 301 || s == 302 || s == 303 || s == 307 || s == 308
		if IsRedirect(s) != want {
			t.Errorf("IsRedirect(%d) = %v, want %v", s, !want, want)
		}
	}
}
