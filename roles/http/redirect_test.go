package http

import (
	"strings"
	"testing"
)

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

func TestRedirectKeepsMethod(t *testing.T) {
	for s := 300; s < 310; s++ {
		if got, want := RedirectKeepsMethod(s), s == 307 || s == 308; got != want {
			t.Errorf("RedirectKeepsMethod(%d) = %v, want %v", s, got, want)
		}
	}
}

// TestClassOf lists the fields that a redirected request must not have, in any case, and some that it may have.
func TestClassOf(t *testing.T) {
	for list, want := range map[string]FieldClass{
		"Authorization Cookie WWW-Authenticate Proxy-Authorization Cookie2": OfOrigin,
		"Content-Type Content-Encoding Content-Language Content-Location Content-Disposition Content-MD5 Digest " +
			"Content-Digest Repr-Digest Last-Modified": OfContent,
		"Accept X-Api-Key Host Range Content-Length Set-Cookie Content-Typ Digests": 0,
	} {
		for _, name := range strings.Fields(list) {
			for _, n := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				if got := ClassOf([]byte(n), Lookup([]byte(n))); got != want {
					t.Errorf("ClassOf(%q) = %d, want %d", n, got, want)
				}
			}
		}
	}
}

// TestRedirectState follows redirects in a row: "GET body" is a method and whether the request still has its body.
func TestRedirectState(t *testing.T) {
	for _, c := range []struct {
		method string
		status []int
		want   string // after each
		omit   FieldClass
	}{
		{"GET", []int{301, 302, 307, 308}, "GET body, GET body, GET body, GET body", 0},
		{"POST", []int{307, 308}, "POST body, POST body", 0},
		{"POST", []int{302}, "GET none", OfContent},
		{"POST", []int{301, 307}, "GET none, GET none", OfContent},
		{"PUT", []int{302, 301, 303, 308}, "PUT body, PUT body, GET none, GET none", OfContent},
		{"HEAD", []int{303, 302}, "HEAD body, HEAD body", 0},
		{"GET", []int{301, 301, 301, 301, 301}, "GET body, GET body, GET body, GET body, refused", 0},
		{"POST", []int{307, 307, 307, 307, 303}, "POST body, POST body, POST body, POST body, refused", 0},
	} {
		s := NewRedirectState([]byte(c.method))
		var got []string
		for _, status := range c.status {
			switch {
			case !s.Next(status):
				got = append(got, "refused")
			case s.NoBody:
				got = append(got, string(s.Method)+" none")
			default:
				got = append(got, string(s.Method)+" body")
			}
		}
		if g := strings.Join(got, ", "); g != c.want || s.Omit() != c.omit {
			t.Errorf("%s, redirected by %v: got %q, omit %d; want %q, omit %d", c.method, c.status, g, s.Omit(), c.want, c.omit)
		}
		s.CrossOrigin = true
		if got := s.Omit(); got != c.omit|OfOrigin {
			t.Errorf("%s, redirected by %v to another origin: omit %d, want %d", c.method, c.status, got, c.omit|OfOrigin)
		}
	}
	if got := (*RedirectState)(nil).Omit(); got != 0 {
		t.Errorf("without a redirect: omit %d, want 0", got)
	}
}

// TestResolveRedirect: where a Location leads from /a/b?q, or why nowhere.
func TestResolveRedirect(t *testing.T) {
	for _, c := range []struct {
		location string
		secure   bool
		ws       bool
		want     string // TLS or plain, authority or -, target; or the error
	}{
		{"/x", false, false, "plain - /x"},
		{"/x", true, false, "TLS - /x"},
		{"c?d#e", false, false, "plain - /a/c?d"},
		{"?d", true, false, "TLS - /a/b?d"},
		{"", false, false, "plain - /a/b?q"},
		{"../../x y", false, false, "plain - /x%20y"},
		{"//Other.Example", false, false, "plain other.example /"},
		{"//other.example:81/x", true, false, "TLS other.example:81 /x"},
		{"HTTP://Other.Example:/x", false, false, "plain other.example /x"},
		{"https://other.example", false, false, "TLS other.example /"},
		{"http://[::1]:80/x", false, false, "plain [::1]:80 /x"},
		{"http://other.example", true, false, "it leads from https to http"},
		{"ws://other.example", true, true, "it leads from https to http"},
		{"ws://other.example/x", false, true, "plain other.example /x"},
		{"wss://other.example/x", false, true, "TLS other.example /x"},
		{"http://other.example/x", false, true, "plain other.example /x"},
		{"ws://other.example", false, false, "only http and https are followed"},
		{"wss://other.example", true, false, "only http and https are followed"},
		{"ftp://other.example", false, false, "only http and https are followed"},
		{"file:/etc/passwd", false, true, "only http, https, ws and wss are followed"},
		{"http:///x", false, false, "there is no host in it"},
		{"http:x", false, false, "there is no host in it"},
		{"//:/x", false, false, "there is no host in it"},
		{"http://u:p@other.example", false, false, "user and password in a URL are not used"},
		{"http://[10.0.0.2/x", false, false, "that is no URL"},
		{"http://other example/x", false, false, "that is no URL"},
	} {
		to, err := ResolveRedirect(c.location, "/a/b?q", c.secure, c.ws)
		got := "plain "
		if to.Secure {
			got = "TLS "
		}
		if to.Authority == "" {
			got += "-"
		}
		got += to.Authority + " " + string(to.Target)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("Location %q, TLS %v, ws %v: got %q, want %q", c.location, c.secure, c.ws, got, c.want)
		}
	}
}
