package ss_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/wsi"
)

// lateNames is a wsi.Resolver that answers after a while.
type lateNames struct {
	w     *world
	after time.Duration
	addrs []netip.Addr
	err   error
}

func (l *lateNames) Resolve(_ string, done func([]netip.Addr, error)) func() {
	wanted := true
	l.w.Net.At(l.after, func() {
		if wanted {
			done(l.addrs, l.err)
		}
	})
	return func() { wanted = false }
}

// reports records the measurements of a stream apart from its payload.
func reports(s *script, list *[]string) {
	s.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		if f&ss.PerfJSON != 0 {
			if f != 0x43 {
				s.World.T.Errorf("flags of a report: got %#x, want 0x43", f)
			}
			s.Got = s.Got[:len(s.Got)-len(b)]
			*list = append(*list, s.Life()+" "+string(b))
		}
		return ss.OK
	}
}

// TestPerf: the content and the time of the report. The latency is 10 ms each way, that of the resolver 3 ms.
func TestPerf(t *testing.T) {
	const at = `"endpoint":"10.0.0.2",`
	many := make([]netip.Addr, 100)
	for i := range many {
		many[i] = serverIP
	}
	var manyDNS []string
	for range 31 { // as many as 500 bytes hold
		manyDNS = append(manyDNS, `"10.0.0.2"`)
	}
	for _, c := range []struct {
		name, keys string
		addrs      []netip.Addr
		err        error
		said       string
		want       []string
	}{
		{name: "an address", keys: at + `"protocol":"h1"`, said: okHello,
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":0,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":20000,"dns":["10.0.0.2"],"prot_specific":{"protocol":"http","resp":200}}`}},
		{name: "a name", keys: `"endpoint":"x.example","protocol":"h1"`, said: okHello, addrs: []netip.Addr{serverIP, clientIP},
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":3000,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":20000,"dns":["10.0.0.2","10.0.0.1"],"prot_specific":{"protocol":"http","resp":200}}`}},
		{name: "more addresses than fit", keys: `"endpoint":"x.example","protocol":"h1"`, said: okHello, addrs: many,
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":3000,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":20000,"dns":[` + strings.Join(manyDNS, ",") + `],"prot_specific":{"protocol":"http","resp":200}}`}},
		{name: "before a user state", keys: at + `"protocol":"h1","http_resp_map":[{"200":1200}]`, said: okHello,
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":0,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":20000,"dns":["10.0.0.2"],"prot_specific":{"protocol":"http","resp":200}}`}},
		{name: "a response that is a failure", keys: at + `"protocol":"h1"`, said: "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":0,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":20000,"dns":["10.0.0.2"],"prot_specific":{"protocol":"http","resp":503}}`}},
		{name: "no such name", keys: `"endpoint":"x.example","protocol":"h1"`, err: wsi.ErrNoName,
			want: []string{`CREATING CONNECTING {"peer":"","dns_us":3000,"dns_disp":3,"sockconn_us":0,"tls_us":0,"txn_resp_us":0,"dns":[]}`}},
		{name: "no DNS server", keys: `"endpoint":"x.example","protocol":"h1"`, err: errors.New("unreachable"),
			want: []string{`CREATING CONNECTING {"peer":"","dns_us":3000,"dns_disp":2,"sockconn_us":0,"tls_us":0,"txn_resp_us":0,"dns":[]}`}},
		{name: "refused", keys: at + `"protocol":"h1"`,
			want: []string{`CREATING CONNECTING {"peer":"","dns_us":0,"dns_disp":1,"sockconn_us":0,"tls_us":0,"txn_resp_us":0,"dns":["10.0.0.2"]}`}},
		{name: "raw", keys: at + `"protocol":"raw"`, said: "x",
			want: []string{`CREATING CONNECTING {"peer":"10.0.0.2","dns_us":0,"dns_disp":1,"sockconn_us":20000,"tls_us":0,"txn_resp_us":0,"dns":["10.0.0.2"]}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			names := &lateNames{after: 3 * time.Millisecond, addrs: c.addrs, err: c.err}
			w := newWorld(t, `{"retry":[{"none":{"backoff":[1],"conceal":0}}],"s":[{"c":{"port":80,"perf":true,"retry":"none","opportunistic":true,`+c.keys+`}}`+rawServer+`]}`,
				plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}, Client: func(cfg *ss.Config) { cfg.Net.Resolver = names }})
			names.w = w
			if c.said != "" {
				w.Serve("srv", speak("\r\n\r\n", c.said, false))
			}
			s := newScript()
			var got []string
			s.World = w.World
			reports(s, &got)
			h := w.Create("c", s)
			h.Connect()
			w.Advance(time.Second)
			if a, b := strings.Join(got, "\n"), strings.Join(c.want, "\n"); a != b {
				t.Errorf("reports\n got  %s\n want %s\n told %s, causes %v", a, b, s.Line(), s.Causes)
			}
			for _, r := range got {
				if _, text, _ := strings.Cut(r, "{"); !json.Valid([]byte("{"+text)) || len(text)+1 > 500 {
					t.Errorf("%s: is not JSON of at most 500 bytes", r)
				}
			}
			if len(s.States) == 0 || s.Told(ss.Connected)+s.Told(ss.Unreachable) == 0 {
				t.Errorf("told %s, want the attempt to end", s.Line())
			}
		})
	}
}

// TestPerfOncePerConnection: a connection is reported when it is new, to the stream that it was made for. A
// redirect to elsewhere makes another.
func TestPerfOncePerConnection(t *testing.T) {
	w := newWorld(t, clientDoc(`"http_url":"/a","perf":true,"allow_redirects":true`, twoServers+`,{"plain":{"endpoint":"10.0.0.2","port":80,"http_url":"/b"}}`), plan{})
	r := &routes{answer: map[string]string{"80 GET /a": sendsTo(302, "//10.0.0.2:81/b"), "81 GET /b": okHello, "80 GET /b": okHello}}
	w.Serve("srv", r.play("80"))
	w.Serve("srv81", r.play("81"))
	s, plain := newScript(), newScript()
	s.World, plain.World = w.World, w.World
	var got, none []string
	reports(s, &got)
	reports(plain, &none)
	h := w.Create("c", s)
	h.Connect()
	w.Settle()
	if len(got) != 2 || !strings.Contains(got[0], `"resp":302`) || !strings.Contains(got[1], `"resp":200`) {
		t.Errorf("a redirect to elsewhere: reports %q, want one for each connection", got)
	}
	h.Connect()
	w.Settle()
	if len(got) != 2 || s.Told(ss.QOSAckRemote) != 2 {
		t.Errorf("over warm connections: reports %q, told %s; want no more of them", got, s.Life())
	}
	w.Create("plain", plain).Connect()
	w.Settle()
	if len(none) != 0 || plain.Told(ss.QOSAckRemote) != 1 {
		t.Errorf("a stream type without perf: reports %q, told %s", none, plain.Line())
	}
}

// TestPerfAnswered: the return code for a report works like that of any Rx.
func TestPerfAnswered(t *testing.T) {
	for _, c := range []struct {
		protocol string
		answer   ss.Ret
		want     string
	}{
		{"h1", ss.DestroyMe, "CREATING CONNECTING DESTROYING"},
		{"h1", ss.DisconnectMe, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{"raw", ss.DestroyMe, "CREATING CONNECTING DESTROYING"},
		{"raw", ss.DisconnectMe, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
	} {
		w := newWorld(t, clientDoc(`"perf":true,"retry":"none","protocol":"`+c.protocol+`"`, rawServer), plan{})
		w.Serve("srv", speak("\r\n\r\n", okHello, false))
		s := newScript()
		s.OnRx = func(*ss.Handle, []byte, ss.Flags) ss.Ret { return c.answer }
		w.Create("c", s).Connect()
		w.Advance(time.Second)
		w.WantLife(c.protocol+", answered "+c.answer.String(), s, c.want)
	}
}

// TestPerfOfTheConnectionInUse: over h2 a connection is started for a waiting stream, and another may serve it first. The
// measurements of one are not reported for the other.
func TestPerfOfTheConnectionInUse(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h2","perf":true`, rawServer), plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
	peers := w.frames("srv", func(p *framePeer) { p.limit, p.onReq = 1, nil })
	first, second := newScript(), newScript()
	first.World, second.World = w.World, w.World
	var one, two []string
	reports(first, &one)
	reports(second, &two)
	w.Create("c", first).Connect()
	w.Advance(time.Second)
	w.Create("c", second).Connect()
	p := (*peers)[0]
	p.answer(p.requests[0], 200, "hello")
	w.Advance(time.Second)
	if len(p.requests) != 2 || len(*peers) != 2 {
		t.Fatalf("%d connections, %d requests on the first; want two, and both requests there", len(*peers), len(p.requests))
	}
	p.answer(p.requests[1], 200, "hello")
	w.Advance(time.Second)
	if len(one) != 1 || len(two) != 0 || second.Told(ss.QOSAckRemote) != 1 {
		t.Errorf("reports: %q of the first stream, %q of the second, which received %s; want one and none", one, two, second.Life())
	}
}
