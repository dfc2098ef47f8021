package ss_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/wsi"
)

// TestOrdinals: the ordinal of UNREACHABLE reports whether a DNS server answered, that of QOS_NACK_REMOTE is the status.
func TestOrdinals(t *testing.T) {
	noDNS := fmt.Errorf("10.0.0.53: no answer in 5 s: %w", wsi.ErrNoDNS)
	for _, c := range []struct {
		name, keys string
		names      error // why the resolver has none
		status     int
		state      ss.State
		want       uint32
	}{
		{"no DNS server answers", `"protocol":"h1","endpoint":"server.example"`, noDNS, 0, ss.Unreachable, 1},
		{"the same, raw", `"protocol":"raw","endpoint":"server.example"`, noDNS, 0, ss.Unreachable, 1},
		{"the same, h2", `"protocol":"h2","endpoint":"server.example"`, noDNS, 0, ss.Unreachable, 1},
		{"the same, ws", `"protocol":"ws","endpoint":"server.example"`, noDNS, 0, ss.Unreachable, 1},
		{"there is no such name", `"protocol":"h1","endpoint":"server.example"`, wsi.ErrNoName, 0, ss.Unreachable, 0},
		{"a resolver that fails otherwise", `"protocol":"h1","endpoint":"server.example"`, errors.New("hosts file: permission denied"), 0, ss.Unreachable, 0},
		{"refused", `"protocol":"h1","endpoint":"10.0.0.2","port":81`, nil, 0, ss.Unreachable, 0},
		{"http_expect missed", `"protocol":"h1","endpoint":"10.0.0.2","http_expect":204`, nil, 200, ss.Unreachable, 0},
		{"404", `"protocol":"h1","endpoint":"10.0.0.2"`, nil, 404, ss.QOSNackRemote, 404},
		{"404 over h2", `"protocol":"h2","endpoint":"10.0.0.2"`, nil, 404, ss.QOSNackRemote, 404},
		{"500", `"protocol":"h1","endpoint":"10.0.0.2"`, nil, 500, ss.QOSNackRemote, 500},
		{"200", `"protocol":"h1","endpoint":"10.0.0.2"`, nil, 200, ss.QOSAckRemote, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := `,"port":80`
			if c.name == "refused" {
				port = ""
			}
			p := plan{}
			names := &lateNames{err: c.names}
			if c.names != nil {
				p.Client = func(k *ss.Config) { k.Net.Resolver = names }
			}
			w := newWorld(t, `{"s":[{"c":{"opportunistic":true,`+c.keys+port+`}},{"srv":{"server":true,"port":80,"protocol":"h2"}}]}`, p)
			names.w = w
			w.Serve("srv", answer(c.status, "x"))
			s := newScript()
			got := uint32(999)
			s.On[c.state] = func(_ *ss.Handle, n ss.Notice) ss.Ret { got = n.Ordinal; return ss.OK }
			w.Create("c", s).Connect()
			w.Advance(time.Second)
			if got != c.want {
				t.Errorf("ordinal of %s: got %d, want %d: %s, causes %v", short(c.state), got, c.want, s.Life(), s.Causes)
			}
		})
	}
}

// TestExpectMissed: a status other than http_expect fails the attempt, with the status in the cause. The retry scheme
// continues, Retry-After is respected, and the body never reaches Rx.
func TestExpectMissed(t *testing.T) {
	for _, proto := range []string{"h1", "h2"} {
		for _, c := range []struct {
			status int
			keys   string
			want   string
		}{
			{200, `"http_expect":204`, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
			{404, `"http_expect":204`, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
			{302, `"http_expect":204,"http_fail_redirect":true`, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
			{204, `"http_expect":204,"http_fail_redirect":true`, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"},
		} {
			w := newWorld(t, fmt.Sprintf(`{"retry":[{"r":{"backoff":[1000],"conceal":1,"jitterpc":0}}],
				"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":%q,"retry":"r",%s}},{"srv":{"server":true,"port":80,"protocol":"h2"}}]}`, proto, c.keys), plan{})
			body := "not what was asked for"
			if c.status == 204 {
				body = ""
			}
			w.Serve("srv", answer(c.status, body))
			s := newScript()
			h := w.Create("c", s)
			h.Connect()
			w.Advance(10 * time.Second)
			what := fmt.Sprintf("%s, %d for %s", proto, c.status, c.keys)
			w.WantLife(what, s, c.want)
			if len(s.Got) != 0 || h.HTTPStatus() != c.status {
				t.Errorf("%s: Rx got %q, status %d; want nothing and %d", what, s.Got, h.HTTPStatus(), c.status)
			}
			var e *ss.StatusError
			if c.status != 204 && (len(s.Causes) == 0 || !errors.As(s.Causes[0], &e) || e.Status != c.status) {
				t.Errorf("%s: causes %v, want a StatusError of %d", what, s.Causes, c.status)
			}
		}
	}
}
