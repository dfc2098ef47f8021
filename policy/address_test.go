package policy

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// TestParseAddress: the forms of an endpoint, and texts that are none.
func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		port     uint16
		tls      bool
		want     string // dial address, authority, path, tls; or "" for an error
	}{
		{"example.com", 80, false, "example.com:80 example.com  false"},
		{"example.com", 8080, false, "example.com:8080 example.com:8080  false"},
		{"example.com", 443, true, "example.com:443 example.com  true"},
		{"example.com", 80, true, "example.com:80 example.com:80  true"},
		{"10.0.0.1", 80, false, "10.0.0.1:80 10.0.0.1  false"},
		{"::1", 81, false, "[::1]:81 [::1]:81  false"},
		{"[::1]", 80, false, "[::1]:80 [::1]  false"},
		{"fe80::1%eth0", 80, false, "[fe80::1%eth0]:80 [fe80::1]  false"},
		{"http://example.com", 9, false, "example.com:80 example.com  false"},
		{"http://example.com", 9, true, ""}, // tls is enforced
		{"HTTPS://example.com/", 9, false, "example.com:443 example.com / true"},
		{"http://example.com:81/a/b?c", 9, false, "example.com:81 example.com:81 /a/b?c false"},
		{"http://example.com?q", 9, false, "example.com:80 example.com /?q false"},
		{"http://[::1]:81/x", 9, false, "[::1]:81 [::1]:81 /x false"},
		{"tcp://example.com:5", 9, false, "example.com:5 example.com:5  false"},
		{"+/run/x", 0, false, "unix:/run/x localhost  false"},
		{"+@x", 0, false, "unix:@x localhost  false"},
		{"+", 0, false, ""},
		{"+@", 0, false, ""},
		{"", 80, false, ""},
		{"example.com", 0, false, ""},
		{"http://", 80, false, ""},
		{"http://:80", 80, false, ""},
		{"http://example.com:0", 80, false, ""},
		{"http://example.com:65536", 80, false, ""},
		{"http://example.com:8x", 80, false, ""},
		{"http://::1:80", 80, false, ""},
		{"http://[::1:80", 80, false, ""},
		{"http://user@example.com", 80, false, ""},
		{"gopher://example.com", 80, false, ""},
		{"exa mple.com", 80, false, ""},
		{"example.com\r\nEvil: yes", 80, false, ""},
		{"example.com/path", 80, false, ""},
		{"WSS://example.com", 9, false, "example.com:443 example.com  true"},
		{"mqtt://example.com:1883", 9, false, "example.com:1883 example.com:1883  false"},
		{"raw://example.com", 9, true, ""},
		{"a..example", 80, false, ""},
		{".example", 80, false, ""},
		{strings.Repeat("x", 256), 80, false, ""},
	} {
		got := ""
		a, err := ParseAddress(c.endpoint, c.port, c.tls)
		switch {
		case err == nil && a.Unix != "":
			got = fmt.Sprintf("unix:%s %s %s %v", a.Unix, a.Authority, a.Path, a.TLS)
		case err == nil:
			got = fmt.Sprintf("%s %s %s %v", net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))), a.Authority, a.Path, a.TLS)
		case !errors.Is(err, ErrEndpoint):
			t.Errorf("endpoint %q: error: got %v, want ErrEndpoint", c.endpoint, err)
		}
		if got != c.want {
			t.Errorf("endpoint %q, port %d, tls %v: got %q (%v), want %q", c.endpoint, c.port, c.tls, got, err, c.want)
		}
	}
}

// TestServerName: the name that a certificate must have is the host without its port, or the local host's.
func TestServerName(t *testing.T) {
	for endpoint, want := range map[string]string{"https://example.com:8443/x": "example.com", "[::1]": "::1", "+/run/x": "localhost"} {
		a, err := ParseAddress(endpoint, 443, true)
		if got := a.ServerName(); err != nil || got != want {
			t.Errorf("endpoint %q: server name %q (%v), want %q", endpoint, got, err, want)
		}
	}
}
