package tls

import (
	"errors"
	"strings"
	"testing"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/roles"
)

// ALPN selects one of several names at either end, in the server's order of preference; the chooser and State get the
// name. "" is none: a client that offers h2 and http/1.1 to a server without ALPN uses the protocol of the time
// before ALPN.
func TestALPNChooses(t *testing.T) {
	both := []string{"h2", "http/1.1"}
	for _, test := range []struct {
		name        string
		ours, mates []string
		server      string // selected name if we are the server, and if the mate is
		client      string
	}{
		{"both know both", both, both, "h2", "h2"},
		{"the server's order counts", both, []string{"http/1.1", "h2"}, "h2", "http/1.1"},
		{"the mate knows the second", both, []string{"http/1.1"}, "http/1.1", "http/1.1"},
		{"the mate knows the first", both, []string{"h2"}, "h2", "h2"},
		{"the mate knows more", both, []string{"spdy/3", "http/1.1", "mqtt"}, "http/1.1", "http/1.1"},
		{"the mate knows no ALPN", both, nil, "", ""},
		{"we know no ALPN", nil, both, "", ""},
		{"names with a common prefix", []string{"h2c", "h2"}, []string{"h", "h2"}, "h2", "h2"},
	} {
		for _, v := range versions {
			for _, role := range roleNames {
				t.Run(test.name+" "+role+" "+v.name, func(t *testing.T) {
					sh := newShared(t, nil)
					r := newRig(t)
					c := &stdtls.Config{RootCAs: testCA().pool(), ServerName: "example.test", Time: wallToday, MaxVersion: v.v,
						Certificates: []stdtls.Certificate{example()}, NextProtos: test.mates}
					want := test.server
					if role == "server" {
						r.s.InitServer(newServer(t, sh, func(c *ServerConfig) { c.ALPN = test.ours }), r.low)
						r.m.Conn = stdtls.Client(r.m.wire(), c)
					} else {
						want = test.client
						r.s.InitClient(newClient(t, sh, func(c *ClientConfig) { c.ALPN = test.ours }), r.low)
						r.m.Conn = stdtls.Server(r.m.wire(), c)
					}
					var chosen []string
					r.s.SetChooser(func(alpn string) roles.Upper { chosen = append(chosen, alpn); return r.p })
					r.low.Open(r.s)
					t.Cleanup(r.end)
					r.handshake()
					if len(chosen) != 1 || chosen[0] != want || r.s.State().ALPN != want {
						t.Errorf("chosen %q, state %q, want %q once", chosen, r.s.State().ALPN, want)
					}
					r.echo(10)
				})
			}
		}
	}
}

// Without a common name a server refuses (RFC 7301 s.3.2), at either end, and no protocol is chosen.
func TestALPNRefuses(t *testing.T) {
	for _, v := range versions {
		sh := newShared(t, nil)
		refuse := func(string) roles.Upper { t.Error("a protocol was chosen"); return nil }

		r := server(t, newServer(t, sh, func(c *ServerConfig) { c.ALPN = []string{"h2", "http/1.1"} }), &stdtls.Config{MaxVersion: v.v, NextProtos: []string{"gopher", "mqtt"}})
		r.s.SetChooser(refuse)
		if err := r.do(r.m.Handshake); err == nil || !strings.HasSuffix(err.Error(), "no application protocol") {
			t.Errorf("%s server: the mate got %v, want no application protocol", v.name, err)
		}
		if r.p.closed != 1 || r.p.opened || !strings.Contains(r.p.cause.Error(), `["gopher" "mqtt"]`) {
			t.Errorf("%s server: closed %d times with %v, want once, with the offered names", v.name, r.p.closed, r.p.cause)
		}

		r = client(t, newClient(t, sh, func(c *ClientConfig) { c.ALPN = []string{"h2", "http/1.1"} }), &stdtls.Config{MaxVersion: v.v, NextProtos: []string{"gopher"}})
		r.s.SetChooser(refuse)
		_ = r.do(r.m.Handshake)
		var e *AlertError
		if r.p.closed != 1 || !errors.As(r.p.cause, &e) || e.Alert != 120 || !strings.HasSuffix(e.Error(), "no_application_protocol") {
			t.Errorf("%s client: closed %d times with %v, want once, with alert no_application_protocol", v.name, r.p.closed, r.p.cause)
		}
	}
}
