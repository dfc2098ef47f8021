package ss_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// twoServers are raw stream types on ports 80 and 81, as two origins.
const twoServers = rawServer + `,{"srv81":{"server":true,"port":81,"protocol":"raw"}}`

// routes answer requests for both. They record the requests: port, method, target, the
// fields that the tests check, and the body.
type routes struct {
	answer map[string]string // "80 GET /x" to a response; what is not there is a 404
	fields []string
	asked  []string
	conns  int
}

// play makes an accepted raw stream answer by the routes; a response with "Connection: close" ends the
// connection.
func (r *routes) play(port string) func(*script) {
	return func(s *script) {
		r.conns++
		s.NoEOM = true
		s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			// The standard library refuses a % that encodes nothing.
			in := strings.NewReader(strings.ReplaceAll(string(s.Got), "%", "%25"))
			q, err := http.ReadRequest(bufio.NewReader(in))
			if err != nil {
				return ss.OK
			}
			body, err := io.ReadAll(q.Body)
			if err != nil && !r.early(port, q) {
				return ss.OK // more to come
			}
			s.Got = s.Got[:0]
			q.RequestURI = strings.ReplaceAll(q.RequestURI, "%25", "%")
			line := port + " " + q.Method + " " + q.RequestURI
			said := r.answer[line]
			if said == "" {
				said = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
			}
			for _, f := range r.fields {
				if v := q.Header.Get(f); v != "" {
					line += " " + f + "=" + v
				}
			}
			r.asked = append(r.asked, strings.TrimSpace(line+" "+string(body)))
			s.Said, s.Say = 0, []byte(said)
			return h.RequestTx()
		}
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, ret := s.Give(h, buf)
			if s.Said == len(s.Say) && strings.Contains(string(s.Say), "Connection: close") {
				h.Disconnect()
			}
			return n, f, ret
		}
	}
}

// early reports whether the response is sent before the request body has arrived.
func (r *routes) early(port string, q *http.Request) bool {
	return strings.Contains(r.answer[port+" "+q.Method+" "+q.RequestURI], "X-Early")
}

func sendsTo(status int, location string) string {
	return fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 5\r\n\r\naside", status, location)
}

const okHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// redirectStories are the cases; each requests /a of port 80 first.
var redirectStories = []struct {
	name   string
	keys   string
	answer map[string]string
	body   string // of the request, announced
	asked  string // all requests, ", " between them
	conns  int
	again  int    // times that the stream receives CONNECTING with Again
	cause  string // part of it, of a failed attempt
	status int    // of the StatusError
}{
	{name: "followed, the connection serves on", answer: map[string]string{"80 GET /a": sendsTo(302, "/b"), "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 1},
	{name: "relative", keys: `"http_url":"/x/y/z?q=1"`, answer: map[string]string{"80 GET /x/y/z?q=1": sendsTo(301, "../b?c=d"), "80 GET /x/b?c=d": okHello},
		asked: "80 GET /x/y/z?q=1, 80 GET /x/b?c=d", conns: 1},
	{name: "relative, of a query alone", answer: map[string]string{"80 GET /a": sendsTo(303, "?p=2"), "80 GET /a?p=2": okHello},
		asked: "80 GET /a, 80 GET /a?p=2", conns: 1},
	{name: "absolute, same origin spelt otherwise", answer: map[string]string{"80 GET /a": sendsTo(307, "HTTP://10.0.0.2:80/b#frag"), "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 1},
	{name: "without a path", answer: map[string]string{"80 GET /a": sendsTo(307, "//10.0.0.2:81"), "81 GET /": okHello},
		asked: "80 GET /a, 81 GET /", conns: 2},
	{name: "an octet that is not allowed in a target is encoded", answer: map[string]string{"80 GET /a": sendsTo(307, "/b c?d \xff"), "80 GET /b%20c?d%20%FF": okHello},
		asked: "80 GET /a, 80 GET /b%20c?d%20%FF", conns: 1},
	{name: "four hops", answer: map[string]string{"80 GET /a": sendsTo(301, "b"), "80 GET /b": sendsTo(302, "c"), "80 GET /c": sendsTo(307, "d"),
		"80 GET /d": sendsTo(308, "e"), "80 GET /e": okHello}, asked: "80 GET /a, 80 GET /b, 80 GET /c, 80 GET /d, 80 GET /e", conns: 1},
	{name: "a ring", answer: map[string]string{"80 GET /a": sendsTo(302, "/a")},
		asked: "80 GET /a, 80 GET /a, 80 GET /a, 80 GET /a, 80 GET /a", conns: 1, cause: "after 4 redirects in a row", status: 302},
	{name: "to a port without listener", answer: map[string]string{"80 GET /a": sendsTo(302, "http://10.0.0.2:82/")},
		asked: "80 GET /a", conns: 1, cause: "10.0.0.2:82"},
	{name: "without Location", answer: map[string]string{"80 GET /a": "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
		asked: "80 GET /a", conns: 1, cause: "without Location", status: 302},
	{name: "to another scheme", answer: map[string]string{"80 GET /a": sendsTo(302, "ftp://10.0.0.2/")},
		asked: "80 GET /a", conns: 1, cause: "only http and https", status: 302},
	{name: "with a password", answer: map[string]string{"80 GET /a": sendsTo(302, "http://u:p@10.0.0.2:81/")},
		asked: "80 GET /a", conns: 1, cause: "password", status: 302},
	{name: "to no host", answer: map[string]string{"80 GET /a": sendsTo(302, "http:///b")},
		asked: "80 GET /a", conns: 1, cause: "no host", status: 302},
	{name: "to no port", answer: map[string]string{"80 GET /a": sendsTo(302, "http://10.0.0.2:0/b")},
		asked: "80 GET /a", conns: 1, cause: "not a port", status: 302},
	{name: "to no URL", answer: map[string]string{"80 GET /a": sendsTo(302, "http://[10.0.0.2/b")},
		asked: "80 GET /a", conns: 1, cause: "no URL", status: 302},
	{name: "the server closes behind it", answer: map[string]string{
		"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 2},
	{name: "its body breaks off", answer: map[string]string{
		"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf", "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 2},
	{name: "its body is not worth taking", answer: map[string]string{
		"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000000), "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 2},
	{name: "HEAD stays HEAD", keys: `"http_method":"HEAD"`, answer: map[string]string{
		"80 HEAD /a": "HTTP/1.1 303 See Other\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n", "80 HEAD /b": "HTTP/1.1 200 OK\r\n\r\n"},
		asked: "80 HEAD /a, 80 HEAD /b", conns: 1},
	{name: "302 makes GET of POST", keys: `"http_method":"POST"`, body: "body", answer: map[string]string{"80 POST /a": sendsTo(302, "/b"), "80 GET /b": okHello},
		asked: "80 POST /a Content-Type=text/x body, 80 GET /b", conns: 1},
	{name: "301 makes GET of POST", keys: `"http_method":"POST"`, body: "body", answer: map[string]string{"80 POST /a": sendsTo(301, "/b"), "80 GET /b": okHello},
		asked: "80 POST /a Content-Type=text/x body, 80 GET /b", conns: 1},
	{name: "303 makes GET of PUT", keys: `"http_method":"PUT"`, body: "body", answer: map[string]string{"80 PUT /a": sendsTo(303, "/b"), "80 GET /b": okHello},
		asked: "80 PUT /a Content-Type=text/x body, 80 GET /b", conns: 1},
	{name: "301 leaves DELETE alone", keys: `"http_method":"DELETE"`, answer: map[string]string{"80 DELETE /a": sendsTo(301, "/b"), "80 DELETE /b": okHello},
		asked: "80 DELETE /a, 80 DELETE /b", conns: 1},
	{name: "307 has the body of a POST given again", keys: `"http_method":"POST"`, body: "body", answer: map[string]string{"80 POST /a": sendsTo(307, "/b"), "80 POST /b": okHello},
		asked: "80 POST /a Content-Type=text/x body, 80 POST /b Content-Type=text/x body", conns: 1, again: 1},
	{name: "308 has the body of a PUT given again, elsewhere", keys: `"http_method":"PUT"`, body: "body", answer: map[string]string{"80 PUT /a": sendsTo(308, "//10.0.0.2:81/b"), "81 PUT /b": okHello},
		asked: "80 PUT /a Content-Type=text/x body, 81 PUT /b Content-Type=text/x body", conns: 2, again: 1},
	{name: "301 and 302 keep PUT, twice", keys: `"http_method":"PUT"`, body: "body", answer: map[string]string{"80 PUT /a": sendsTo(302, "/b"), "80 PUT /b": sendsTo(301, "/c"), "80 PUT /c": okHello},
		asked: "80 PUT /a Content-Type=text/x body, 80 PUT /b Content-Type=text/x body, 80 PUT /c Content-Type=text/x body", conns: 1, again: 2},
	{name: "307 has the body of a PATCH given again, then 303 takes it away", keys: `"http_method":"PATCH"`, body: "body",
		answer: map[string]string{"80 PATCH /a": sendsTo(307, "/b"), "80 PATCH /b": sendsTo(303, "/c"), "80 GET /c": okHello},
		asked:  "80 PATCH /a Content-Type=text/x body, 80 PATCH /b Content-Type=text/x body, 80 GET /c", conns: 1, again: 1},
	{name: "an empty body is given again", keys: `"http_method":"POST"`, answer: map[string]string{"80 POST /a": sendsTo(308, "/b"), "80 POST /b": okHello},
		asked: "80 POST /a Content-Type=text/x, 80 POST /b Content-Type=text/x", conns: 1, again: 1},
	{name: "307 in a ring has an end", keys: `"http_method":"POST"`, body: "body", answer: map[string]string{"80 POST /a": sendsTo(307, "/a")},
		asked: strings.Repeat("80 POST /a Content-Type=text/x body, ", 4) + "80 POST /a Content-Type=text/x body", conns: 1, again: 4, cause: "after 4 redirects in a row", status: 307},
	{name: "a stray % is taken as it is", keys: `"http_url":"/50%?x=%zz"`, answer: map[string]string{"80 GET /50%?x=%zz": sendsTo(302, "100%/%2?y=%"), "80 GET /100%/%2?y=%": okHello},
		asked: "80 GET /50%?x=%zz, 80 GET /100%/%2?y=%", conns: 1},
	{name: "an escape is not escaped again", answer: map[string]string{"80 GET /a": sendsTo(302, "/%41%20b c%2Fd"), "80 GET /%41%20b%20c%2Fd": okHello},
		asked: "80 GET /a, 80 GET /%41%20b%20c%2Fd", conns: 1},
	{name: "an empty port", answer: map[string]string{"80 GET /a": sendsTo(302, "http://10.0.0.2:/b"), "80 GET /b": okHello},
		asked: "80 GET /a, 80 GET /b", conns: 1},
	{name: "ws is not for streams of HTTP", answer: map[string]string{"80 GET /a": sendsTo(302, "ws://10.0.0.2/b")},
		asked: "80 GET /a", conns: 1, cause: "only http and https", status: 302},
	{name: "http_expect takes the redirect for the answer", keys: `"http_expect":302`, answer: map[string]string{
		"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nhello"}, asked: "80 GET /a", conns: 1},
	{name: "http_fail_redirect overrides", keys: `"http_fail_redirect":true`, answer: map[string]string{"80 GET /a": sendsTo(302, "/b")},
		asked: "80 GET /a", conns: 1, cause: "captive portal", status: 302},
}

// TestRedirects runs each case over some networks: the stream sees one attempt.
func TestRedirects(t *testing.T) {
	for _, c := range redirectStories {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(6) {
				net := sim.Options{}
				if seed > 0 {
					net = badLink(rand.New(rand.NewPCG(seed, 7)))
				}
				keys := c.keys
				if !strings.Contains(keys, "http_url") {
					keys += `,"http_url":"/a"`
				}
				keys = strings.TrimPrefix(keys+`,"allow_redirects":true,"retry":"none","metadata":[{"mime":"content-type:"}]`, ",")
				w := newWorld(t, clientDoc(keys, twoServers), plan{Seed: seed, Net: net})
				r := &routes{answer: c.answer, fields: []string{"Content-Type"}}
				w.Serve("srv", r.play("80"))
				w.Serve("srv81", r.play("81"))
				s := newScript()
				s.QuietTx, s.Say = true, []byte(c.body)
				again := 0
				s.On[ss.Connecting] = func(h *ss.Handle, n ss.Notice) ss.Ret {
					if n.Again {
						again++
						if e := (*ss.StatusError)(nil); !errors.As(n.Cause, &e) {
							t.Errorf("seed %d: told CONNECTING again for %v, want a StatusError", seed, n.Cause)
						}
					}
					return ss.OK
				}
				h := w.Create("c", s)
				if strings.Contains(keys, `"P`) {
					h.SetMetadataString("mime", "text/x")
				}
				if c.body != "" {
					h.RequestTxLen(int64(len(c.body)))
				} else {
					h.Connect()
				}
				w.Run("the end", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.AllRetriesFailed) > 0 })
				if got := strings.Join(r.asked, ", "); got != c.asked {
					t.Errorf("seed %d: asked\n  got  %s\n  want %s\n  causes %v", seed, got, c.asked, s.Causes)
				}
				// A connection is reused if the rest of a redirect has arrived with its head.
				if r.conns != c.conns && (seed == 0 || r.conns < c.conns || r.conns > len(r.asked)) {
					t.Errorf("seed %d: %d connections, want %d", seed, r.conns, c.conns)
				}
				if again != c.again {
					t.Errorf("seed %d: told CONNECTING again %d times, want %d", seed, again, c.again)
				}
				got := strings.Replace(s.Life(), "CREATING POLL", "CREATING", 1)
				got = strings.Replace(got, strings.Repeat(" CONNECTING", 1+c.again), " CONNECTING", 1)
				if c.cause == "" {
					want := "hello"
					if strings.Contains(keys, "HEAD") {
						want = ""
					}
					if got != "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED" || string(s.Got) != want {
						t.Errorf("seed %d: told %s, %q; want one transaction that brings %q; causes %v", seed, got, s.Got, want, s.Causes)
					}
					continue
				}
				if got != "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED" || len(s.Got) != 0 {
					t.Errorf("seed %d: told %s, %q; want one failed attempt", seed, got, s.Got)
				}
				var e *ss.StatusError
				last := s.Causes[len(s.Causes)-1]
				if errors.As(last, &e); c.status != 0 && (e == nil || e.Status != c.status) || !strings.Contains(last.Error(), c.cause) {
					t.Errorf("seed %d: cause %v, want one of status %d about %q", seed, last, c.status, c.cause)
				}
			}
		})
	}
}

// TestRedirectToAnotherOrigin: credentials are sent to their own origin only, also when the redirects lead back to
// it.
func TestRedirectToAnotherOrigin(t *testing.T) {
	for _, c := range []struct{ to, back, asked string }{
		{"/b", "", "80 GET /a Authorization=secret X-Dsn=dsn Cookie=c=1 Proxy-Authorization=p X-Plain=plain, 80 GET /b Authorization=secret X-Dsn=dsn Cookie=c=1 Proxy-Authorization=p X-Plain=plain"},
		{"http://10.0.0.2:81/b", "", "80 GET /a Authorization=secret X-Dsn=dsn Cookie=c=1 Proxy-Authorization=p X-Plain=plain, 81 GET /b X-Plain=plain"},
		{"http://10.0.0.2:81/b", "http://10.0.0.2/c", "80 GET /a Authorization=secret X-Dsn=dsn Cookie=c=1 Proxy-Authorization=p X-Plain=plain, 81 GET /b X-Plain=plain, 80 GET /c X-Plain=plain"},
	} {
		w := newWorld(t, clientDoc(`"http_url":"/a","allow_redirects":true,"http_auth_header":"authorization:","http_dsn_header":"x-dsn:",
			"metadata":[{"cookie":"cookie:"},{"proxy":"Proxy-Authorization:"},{"plain":"x-plain:"}]`, twoServers), plan{Client: func(cfg *ss.Config) {
			var m device.BlobMemory
			m.Set(device.BlobAuth, 0, []byte("secret"))
			m.Set(device.BlobDeviceSerial, 0, []byte("dsn"))
			cfg.Blobs = &m
		}})
		r := &routes{fields: []string{"Authorization", "X-Dsn", "Cookie", "Proxy-Authorization", "X-Plain"}, answer: map[string]string{
			"80 GET /a": sendsTo(302, c.to), "80 GET /b": okHello, "81 GET /b": okHello, "80 GET /c": okHello}}
		if c.back != "" {
			r.answer["81 GET /b"] = sendsTo(302, c.back)
		}
		w.Serve("srv", r.play("80"))
		w.Serve("srv81", r.play("81"))
		s := newScript()
		h := w.Create("c", s)
		for name, v := range map[string]string{"cookie": "c=1", "proxy": "p", "plain": "plain"} {
			h.SetMetadataString(name, v)
		}
		h.Connect()
		w.Advance(time.Second)
		if got := strings.Join(r.asked, ", "); got != c.asked || s.Told(ss.QOSAckRemote) != 1 {
			t.Errorf("to %s, back %q: asked\n  got  %s\n  want %s\n  causes %v", c.to, c.back, got, c.asked, s.Causes)
		}
		// The next transaction uses the policy's target again.
		r.asked = nil
		h.Connect()
		w.Advance(time.Second)
		if got := strings.Join(r.asked, ", "); got != c.asked {
			t.Errorf("once more to %s: asked\n  got  %s\n  want %s", c.to, got, c.asked)
		}
	}
}

// TestRedirectBeforeBody: a body that was announced and not yet sent goes to the redirect's target. The server
// answers the head, while the stream has nothing to send yet.
func TestRedirectBeforeBody(t *testing.T) {
	w := newWorld(t, clientDoc(`"http_url":"/a","http_method":"POST","allow_redirects":true,"retry":"none"`, twoServers), plan{})
	r := &routes{answer: map[string]string{
		"80 POST /a": "HTTP/1.1 307 Elsewhere\r\nX-Early: 1\r\nLocation: http://10.0.0.2:81/b\r\nContent-Length: 0\r\n\r\n", "81 POST /b": okHello}}
	w.Serve("srv", r.play("80"))
	w.Serve("srv81", r.play("81"))
	s := newScript()
	late := false
	s.OnTx = func(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		if !late {
			return 0, 0, ss.TxDontSend
		}
		return copy(buf, "body"), ss.SOM | ss.EOM, ss.OK
	}
	h := w.Create("c", s)
	h.RequestTxLen(4)
	w.Advance(time.Second)
	late = true
	h.RequestTx()
	w.Advance(time.Second)
	if got, want := strings.Join(r.asked, ", "), "80 POST /a, 81 POST /b body"; got != want {
		t.Errorf("asked %s, want %s; causes %v", got, want, s.Causes)
	}
	w.WantLine("the stream", s, `CREATING POLL CONNECTING tx("body"|SOM|EOM) CONNECTED rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`)
}

// TestRedirectWhilePaused: Pause stops payload to the program. The body of a redirect is not payload, and a stream
// that is paused during it still follows the redirect.
func TestRedirectWhilePaused(t *testing.T) {
	w := newWorld(t, clientDoc(`"http_url":"/a","allow_redirects":true`, twoServers), plan{Net: sim.Options{Link: sim.Link{Bandwidth: 100_000}}})
	r := &routes{answer: map[string]string{
		"80 GET /a": "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50_000), "80 GET /b": okHello}}
	w.Serve("srv", r.play("80"))
	s := newScript()
	h := w.Create("c", s)
	h.Connect()
	w.Advance(250 * time.Millisecond)
	h.Pause()
	w.Advance(5 * time.Second)
	if len(r.asked) != 2 || len(s.Got) != 0 {
		t.Errorf("paused: asked %q, told %s; want both requests and no payload", r.asked, s.Line())
	}
	h.Resume()
	w.Advance(time.Second)
	w.WantLine("the stream", s, `CREATING CONNECTING CONNECTED rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`)
}

// TestRedirectCancelled: a stream can disconnect at any point of a redirect.
func TestRedirectCancelled(t *testing.T) {
	for _, destroy := range []bool{false, true} {
		for at := time.Millisecond; at < 60*time.Millisecond; at += time.Millisecond {
			w := newWorld(t, clientDoc(`"http_url":"/a","allow_redirects":true,"retry":"none"`, twoServers), plan{Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond}}})
			r := &routes{answer: map[string]string{"80 GET /a": sendsTo(302, "//10.0.0.2:81/b"), "81 GET /b": sendsTo(302, "c"), "81 GET /c": okHello}}
			w.Serve("srv", r.play("80"))
			w.Serve("srv81", r.play("81"))
			s := newScript()
			h := w.Create("c", s)
			h.Connect()
			w.Net.At(at, func() {
				if destroy {
					h.Destroy()
				} else {
					h.Disconnect()
				}
			})
			w.Advance(time.Second)
			if s.Told(ss.Connecting) != 1 || s.Told(ss.Connected)+s.Told(ss.Unreachable) != 1 && !destroy {
				t.Errorf("after %v: told %s, want one attempt and its end", at, s.Life())
			}
		}
	}
}

// TestRedirectsResolve compares the targets of redirects with net/url, for bases and references of all forms.
func TestRedirectsResolve(t *testing.T) {
	for _, base := range []string{"/", "/a", "/a/b/c?d=e", "/a/../b/"} {
		for _, ref := range []string{"b", "./b", "../b", "/b/./c/../d", "?x", "#f", "b?x#f", "//10.0.0.2:81/b", "http://10.0.0.2/%41?%zz=1", "", "b:c/../d?e"} {
			from, err := url.Parse("http://10.0.0.2" + base)
			if err != nil {
				t.Fatal(err)
			}
			to, err := from.Parse(ref)
			if err != nil || ref == "b:c/../d?e" { // a scheme that is not followed
				continue
			}
			port := "80"
			if to.Port() != "" {
				port = to.Port()
			}
			w := newWorld(t, clientDoc(fmt.Sprintf(`"http_url":%q,"allow_redirects":true,"retry":"none"`, base), twoServers), plan{})
			r := &routes{answer: map[string]string{"80 GET " + base: sendsTo(302, ref), port + " GET " + to.RequestURI(): okHello}}
			if port+" GET "+to.RequestURI() == "80 GET "+base {
				continue // a ring
			}
			w.Serve("srv", r.play("80"))
			w.Serve("srv81", r.play("81"))
			s := newScript()
			w.Create("c", s).Connect()
			w.Advance(time.Second)
			if s.Told(ss.QOSAckRemote) != 1 {
				t.Errorf("from %s to %q: asked %q, want %s %s; causes %v", base, ref, r.asked, port, to.RequestURI(), s.Causes)
			}
		}
	}
}

// TestRedirectsOnBadNetworks: connections that are refused, reset or silent at any point cost attempts and
// nothing else; at the end all memory is freed.
func TestRedirectsOnBadNetworks(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		net := badLink(r)
		worse(r, &net)
		net.MaxDescriptors = 0 // silent connections use up the server's descriptors
		w := newWorld(t, clientDoc(`"http_url":"/a","allow_redirects":true,"perf":true,"direct_proto_str":true,"retry":"never","opportunistic":true`, twoServers), plan{Seed: seed, Net: net})
		w.Patience = time.Hour
		way := &routes{answer: map[string]string{"80 GET /a": sendsTo(302, "//10.0.0.2:81/b"), "81 GET /b": sendsTo(307, "c"),
			"81 GET /c": sendsTo(301, "http://10.0.0.2/d"), "80 GET /d": okHello}}
		w.Serve("srv", way.play("80"))
		w.Serve("srv81", way.play("81"))
		s := newScript()
		var reported []string
		s.World = w.World
		reports(s, &reported)
		h := w.Create("c", s)
		s.When(ss.Disconnected, func(h *ss.Handle) ss.Ret { return h.Connect() })
		s.When(ss.Connecting, func(h *ss.Handle) ss.Ret { h.StartTimeout(time.Minute); return ss.OK })
		s.When(ss.Timeout, func(*ss.Handle) ss.Ret { return ss.DisconnectMe }) // silence is no fault of a server's
		h.Connect()
		w.Run("three answers", func() bool { return s.Told(ss.QOSAckRemote) >= 3 })
		if n := w.Client.Runtime.Counters.Redirects; n < 9 || len(reported) == 0 {
			t.Errorf("seed %d: %d redirects followed, %d reports; want nine redirects at the least and a report", seed, n, len(reported))
		}
		for _, q := range way.asked {
			if !strings.Contains("80 GET /a 81 GET /b 81 GET /c 80 GET /d", q) {
				t.Errorf("seed %d: asked %q, which no redirect says", seed, q)
			}
		}
	}
}
