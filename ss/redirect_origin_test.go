package ss_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/ss/sstest"
)

// anyName is a wsi.Resolver for which every name is the server machine's.
type anyName struct{}

func (anyName) Resolve(_ string, done func([]netip.Addr, error)) func() {
	done([]netip.Addr{serverIP}, nil)
	return nil
}

// signpost is a server that redirects /a, answers other paths with hello, and records the requests.
func signpost(port, location string, asked *[]string) func(*script) {
	return func(s *script) {
		s.Say = []byte("hello")
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			path, _ := h.Metadata("path")
			authority, _ := h.Metadata("authority")
			token, _ := h.Metadata("auth")
			*asked = append(*asked, fmt.Sprintf("%s %s %s %s", port, authority, path, token))
			if string(path) != "/a" {
				h.ServerAck(0)
				return h.RequestTxLen(5)
			}
			h.ServerAck(302)
			if err := h.SetMetadataString("location:", location); err != nil {
				s.World.T.Errorf("%v", err)
			}
			return h.RequestTxLen(0)
		})
	}
}

// TestRedirectOrigin: credentials are sent within one origin, in any spelling, and not to another. An upper-case
// letter in the policy or in the Location, and a default port, do not change the origin; TLS does.
func TestRedirectOrigin(t *testing.T) {
	p := newPKI(t, "device.example", "other.example")
	for _, c := range []struct {
		endpoint, location string
		want               string // the second request, "" for none
		cause              string
	}{
		{"https://Device.Example", "/b", "443 Device.Example /b secret", ""},
		{"https://Device.Example", "https://device.example/b", "443 Device.Example /b secret", ""},
		{"https://Device.Example", "https://DEVICE.EXAMPLE:443/b", "443 Device.Example /b secret", ""},
		{"https://device.example", "HTTPS://DEVICE.example:/b", "443 device.example /b secret", ""},
		{"https://device.example:443", "//Device.example/b", "443 device.example /b secret", ""},
		{"https://Device.Example:8443", "https://device.EXAMPLE:8443/b", "8443 Device.Example:8443 /b secret", ""},
		{"http://Device.Example", "http://device.example:80/b", "80 Device.Example /b secret", ""},
		{"https://Device.Example", "https://device.example:8443/b", "8443 device.example:8443 /b ", ""},
		{"https://Device.Example:8443", "https://device.example/b", "443 device.example /b ", ""},
		{"https://Device.Example", "https://Other.Example/b", "443 other.example /b ", ""},
		{"https://Device.Example", "https://device.example.evil.example/b", "", "certificate"},
		{"http://Device.Example", "https://device.example/b", "443 device.example /b ", ""},
		{"https://Device.Example", "http://device.example/b", "", "from https to http"},
		{"https://Device.Example", "https://device.example@other.example/b", "", "user and password"},
	} {
		overEach(t, func(t *testing.T, proto string) {
			if proto == "h2" && strings.HasPrefix(c.endpoint, "http://") {
				return // the story is TLS's, and h2 in clear is by prior knowledge
			}
			t.Run(c.endpoint+" "+c.location, func(t *testing.T) {
				cryptotest.SetGlobalRandom(t, 1)
				const web = `"server":true,"protocol":"h2","direct_proto_str":true,"metadata":[{"path":""},{"authority":""},{"auth":""}]`
				const pair = `,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`
				w := newWorld(t, fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],
					"retry":[{"none":{"backoff":[700],"conceal":0}}],"s":[
					{"c":{"endpoint":%q,"protocol":%q,"http_url":"/a","allow_redirects":true,"http_auth_header":"authorization:","retry":"none","opportunistic":true,"tls_trust_store":"lab"}},
					{"p80":{"port":80,%s}},{"p443":{"port":443,%s}},{"p8443":{"port":8443,%s}}]}`,
					p.ca, p.leaf, p.key, c.endpoint, proto, web, web+pair, web+pair),
					plan{Client: func(cfg *ss.Config) {
						var m device.BlobMemory
						m.Set(device.BlobAuth, 0, []byte("secret"))
						cfg.Blobs, cfg.Net.Resolver = &m, anyName{}
					}})
				for _, m := range []*sstest.Machine{w.Client, w.Server} {
					m.Host.JumpWall(time.Since(m.Host.Wall())) // to where the certificates are valid
				}
				var asked []string
				for _, port := range []string{"80", "443", "8443"} {
					w.Serve("p"+port, signpost(port, c.location, &asked))
				}
				s := newScript()
				w.Create("c", s).Connect()
				w.Run("the end", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
				got := strings.Join(asked[min(1, len(asked)):], ", ")
				if got != c.want || len(asked) == 0 || !strings.HasSuffix(asked[0], "secret") {
					t.Errorf("asked %q, want %q behind the first; told %s, %v", asked, c.want, s.Life(), s.Causes)
				}
				if c.cause != "" && (s.Told(ss.Unreachable) != 1 || !strings.Contains(fmt.Sprint(s.Causes), c.cause)) {
					t.Errorf("told %s for %v, want UNREACHABLE for %q", s.Life(), s.Causes, c.cause)
				}
			})
		})
	}
}

// TestRedirectIsFollowedAtTheHead: a redirect whose body does not end is followed at once, also by a stream with
// long_poll, and while it is paused.
func TestRedirectIsFollowedAtTheHead(t *testing.T) {
	for _, c := range []struct {
		name string
		keys string
		body string // behind the Location
	}{
		{"announced", ``, "Content-Length: 100000\r\n\r\nbeginning"},
		{"announced, none of it comes", ``, "Content-Length: 1\r\n\r\n"},
		{"chunked", ``, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		{"to the end of the connection", ``, "\r\n"},
		{"long_poll", `,"long_poll":true`, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		{"long_poll, to the end of the connection", `,"long_poll":true`, "\r\nhello"},
	} {
		for _, proto := range []string{"h1", "h2"} {
			for _, paused := range []bool{false, true} {
				if paused && proto == "h1" {
					continue // there Pause stops the head, too
				}
				t.Run(fmt.Sprintf("%s, %s, paused %v", proto, c.name, paused), func(t *testing.T) {
					w := newWorld(t, clientDoc(`"protocol":"`+proto+`","http_url":"/a","allow_redirects":true,"retry":"none","opportunistic":true`+c.keys, rawServer),
						plan{Net: sim.Options{Link: sim.Link{Latency: 10 * time.Millisecond}}})
					var at []time.Duration
					if proto == "h1" {
						r := &routes{answer: map[string]string{"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\n" + c.body, "80 GET /b": okHello}}
						w.Serve("srv", func(s *script) {
							r.play("80")(s)
							inner := s.OnRx
							s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret { at = append(at, w.Net.Now()); return inner(h, b, f) }
						})
					} else {
						w.frames("srv", func(p *framePeer) {
							p.onReq = func(p *framePeer, q *peerRequest) {
								if at = append(at, w.Net.Now()); q.path != "/a" {
									p.answer(q, 200, "hello")
									return
								}
								p.redirect(q, "/b")
								if strings.Contains(c.body, "hello") {
									p.data(q, "hello", false)
								}
							}
						})
					}
					s := newScript()
					h := w.Create("c", s)
					if paused {
						h.Pause()
					}
					h.Connect()
					w.Advance(time.Second)
					h.Resume()
					w.Advance(time.Second)
					// On HTTP/1.1 another connection is made: its handshake takes another round trip.
					if len(at) != 2 || at[1]-at[0] > 45*time.Millisecond || s.Told(ss.QOSAckRemote) != 1 || string(s.Got) != "hello" {
						t.Errorf("requests at %v, told %s, %q; want two within 45 ms, and hello; causes %v", at, s.Life(), s.Got, s.Causes)
					}
				})
			}
		}
	}
}

// TestWebSocketRedirects: a WebSocket handshake follows redirects to http and ws, and never from wss to ws. The
// target has no WebSocket, which the cause reports.
func TestWebSocketRedirects(t *testing.T) {
	p := newPKI(t, "10.0.0.2")
	for _, c := range []struct{ endpoint, location, asked, cause string }{
		{"ws://10.0.0.2", "/b", "80 GET /a, 80 GET /b", "status 404"},
		{"ws://10.0.0.2", "ws://10.0.0.2/b", "80 GET /a, 80 GET /b", "status 404"},
		{"ws://10.0.0.2", "http://10.0.0.2:80/b", "80 GET /a, 80 GET /b", "status 404"},
		{"ws://10.0.0.2", "wss://10.0.0.2/b", "80 GET /a, 443 GET /b", "status 404"},
		{"wss://10.0.0.2", "WSS://10.0.0.2:443/b", "443 GET /a, 443 GET /b", "status 404"},
		{"wss://10.0.0.2", "https://10.0.0.2:8443/b", "443 GET /a, 8443 GET /b", "status 404"},
		{"wss://10.0.0.2", "ws://10.0.0.2/b", "443 GET /a", "from https to http"},
		{"ws://10.0.0.2", "ftp://10.0.0.2/b", "80 GET /a", "only http, https, ws and wss"},
	} {
		t.Run(c.endpoint+" "+c.location, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, 1)
			const pair = `,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`
			w := newWorld(t, fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],
				"retry":[{"none":{"backoff":[700],"conceal":0}}],"s":[
				{"c":{"endpoint":%q,"protocol":"ws","http_url":"/a","allow_redirects":true,"retry":"none","opportunistic":true,"tls_trust_store":"lab"}},
				{"p80":{"server":true,"protocol":"raw","port":80}},{"p443":{"server":true,"protocol":"raw","port":443%s}},
				{"p8443":{"server":true,"protocol":"raw","port":8443%s}}]}`, p.ca, p.leaf, p.key, c.endpoint, pair, pair), plan{})
			for _, m := range []*sstest.Machine{w.Client, w.Server} {
				m.Host.JumpWall(time.Since(m.Host.Wall())) // to where the certificates are valid
			}
			r := &routes{answer: map[string]string{"80 GET /a": sendsTo(302, c.location), "443 GET /a": sendsTo(302, c.location)}}
			for _, port := range []string{"80", "443", "8443"} {
				w.Serve("p"+port, r.play(port))
			}
			s := newScript()
			w.Create("c", s).Connect()
			w.Advance(5 * time.Second)
			w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			var e *ss.StatusError
			if len(s.Causes) == 0 || !errors.As(s.Causes[0], &e) || !strings.Contains(e.Error(), c.cause) {
				t.Errorf("cause %v, want a StatusError about %q", s.Causes, c.cause)
			}
			if got := strings.Join(r.asked, ", "); got != c.asked {
				t.Errorf("asked %s, want %s; causes %v", got, c.asked, s.Causes)
			}
		})
	}
}
