package ss_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// guide answers the requests to an h2 server in the redirect tests: for each path a status, a Location, and a body.
type guide struct {
	asked []string
	port  string
	to    map[string]leads
}

type leads struct {
	status   int
	location string
	body     int  // bytes
	early    bool // answer before the request's body has come
}

func (g *guide) play(s *script) {
	var body []byte
	var here leads
	s.QuietTx = true
	reply := func(h *ss.Handle) ss.Ret {
		h.ServerAck(here.status)
		if here.location != "" {
			h.SetMetadataString("location:", here.location)
		}
		s.Say = make([]byte, here.body)
		return h.RequestTxLen(int64(here.body))
	}
	s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
		method, _ := h.Metadata("method")
		path, _ := h.Metadata("path")
		body = body[:0]
		here = g.to[string(path)]
		g.asked = append(g.asked, fmt.Sprintf("%s %s %s", g.port, method, path))
		if here.early || !h.RequestBody() {
			return reply(h)
		}
		return ss.OK
	})
	s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		body = append(body, b...)
		if f&ss.EOM != 0 && !here.early {
			g.asked[len(g.asked)-1] += " " + string(body)
			return reply(h)
		}
		return ss.OK
	}
}

// TestRedirectsOverH2: the redirect tests that differ on HTTP/2, where a request is one stream of many: the unread
// rest of a response costs its stream and not the connection.
func TestRedirectsOverH2(t *testing.T) {
	const keys = `"server":true,"protocol":"h2","direct_proto_str":true,"metadata":[{"method":""},{"path":""}]`
	for _, c := range []struct {
		name, keys string
		to80, to81 map[string]leads
		late       bool // the stream gives its body a second late
		part       bool // but a part of it at once
		asked      string
		conns      uint64
		states     string
	}{
		{name: "followed", to80: map[string]leads{"/a": {302, "/b", 5, false}, "/b": {200, "", 7, false}}, asked: "80 GET /a, 80 GET /b", conns: 1},
		{name: "a body that is not worth taking", to80: map[string]leads{"/a": {302, "/b", 1 << 20, false}, "/b": {200, "", 7, false}},
			asked: "80 GET /a, 80 GET /b", conns: 1},
		{name: "to another origin", to80: map[string]leads{"/a": {301, "//10.0.0.2:81/b", 0, false}}, to81: map[string]leads{"/b": {200, "", 7, false}},
			asked: "80 GET /a, 81 GET /b", conns: 2},
		{name: "before the body was given", keys: `,"http_method":"POST"`, late: true, to80: map[string]leads{"/a": {307, "/b", 0, true}, "/b": {200, "", 7, false}},
			asked: "80 POST /a, 80 POST /b late", conns: 1},
		{name: "the body was given", keys: `,"http_method":"PUT"`, late: true, to80: map[string]leads{"/a": {302, "//10.0.0.2:81/b", 3, false}}, to81: map[string]leads{"/b": {200, "", 7, false}},
			asked: "80 PUT /a late, 81 PUT /b late", conns: 2, states: "CREATING CONNECTING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"},
		{name: "a part of the body was given", keys: `,"http_method":"POST"`, part: true, late: true, to80: map[string]leads{"/a": {307, "/b", 0, true}, "/b": {200, "", 7, false}},
			asked: "80 POST /a, 80 POST /b late", conns: 1, states: "CREATING CONNECTING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"},
		{name: "POST becomes GET", keys: `,"http_method":"POST"`, to80: map[string]leads{"/a": {303, "/b", 0, false}, "/b": {200, "", 7, false}},
			asked: "80 POST /a late, 80 GET /b", conns: 1},
		{name: "a ring", to80: map[string]leads{"/a": {302, "/a", 0, false}}, asked: strings.Repeat("80 GET /a, ", 4) + "80 GET /a", conns: 1,
			states: "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(8) {
				net := sim.Options{}
				if seed > 0 {
					net = badLink(rand.New(rand.NewPCG(seed, 8)))
				}
				w := newWorld(t, clientDoc(`"protocol":"h2","http_url":"/a","allow_redirects":true,"retry":"none"`+c.keys,
					`,{"srv":{"port":80,`+keys+`}},{"srv81":{"port":81,`+keys+`}}`), plan{Seed: seed, Net: net})
				first, second := &guide{port: "80", to: c.to80}, &guide{port: "81", to: c.to81}
				w.Serve("srv", first.play)
				w.Serve("srv81", second.play)
				s := newScript()
				s.QuietTx = true
				gives, part := !c.late, c.part
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					if part {
						part = false
						return copy(buf, "la"), ss.SOM, ss.OK
					}
					if !gives {
						return 0, 0, ss.TxDontSend
					}
					return copy(buf, "late"), ss.SOM | ss.EOM, ss.OK
				}
				h := w.Create("c", s)
				h.Connect()
				w.Advance(time.Second)
				gives = true
				if c.late {
					h.RequestTx()
				}
				w.Run("the end", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
				if got := strings.Join(append(first.asked, second.asked...), ", "); got != c.asked {
					t.Errorf("seed %d: asked\n  got  %s\n  want %s\n  causes %v", seed, got, c.asked, s.Causes)
				}
				if n := w.Server.Runtime.Net().Counters.Accepted; n != c.conns {
					t.Errorf("seed %d: %d connections, want %d", seed, n, c.conns)
				}
				want := c.states
				if want == "" {
					want = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"
					if len(s.Got) != 7 {
						t.Errorf("seed %d: payload of %d bytes, want 7", seed, len(s.Got))
					}
				}
				w.WantLife(fmt.Sprintf("seed %d: the stream", seed), s, want)
			}
		})
	}
}
