package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// TestPayloadFormat: payload_fmt reaches the program unchanged.
func TestPayloadFormat(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"raw","payload_fmt":"cbor, v2"`, ""), plan{})
	if got := w.Create("c", newScript()).Policy().PayloadFmt; got != "cbor, v2" {
		t.Errorf("payload_fmt: got %q, want %q", got, "cbor, v2")
	}
}

// TestSocketAttributes: each attr_ key sets its bits on the sockets of both sides. Low cost is DSCP CS1, since TCP on
// Linux loses the bit that RFC 1349 has for it.
func TestSocketAttributes(t *testing.T) {
	for _, c := range []struct {
		keys string
		want loop.SocketOptions
	}{
		{`"attr_priority":5`, loop.SocketOptions{Priority: 5}},
		{`"attr_low_latency":true`, loop.SocketOptions{TOS: 0x10}},
		{`"attr_high_throughput":true`, loop.SocketOptions{TOS: 0x08}},
		{`"attr_high_reliability":true`, loop.SocketOptions{TOS: 0x04}},
		{`"attr_low_cost":true`, loop.SocketOptions{TOS: 0x20}},
		{`"attr_low_cost":true,"attr_high_throughput":true,"attr_priority":1`, loop.SocketOptions{TOS: 0x28, Priority: 1}},
		{`"attr_low_cost":false`, loop.SocketOptions{}},
	} {
		w := newWorld(t, clientDoc(`"protocol":"raw","opportunistic":true,`+c.keys, `,{"srv":{"server":true,"port":80,"protocol":"raw",`+c.keys+`}}`), plan{})
		w.Serve("srv", nil)
		w.Create("c", newScript()).Connect()
		w.Settle()
		for _, m := range []*sstest.Machine{w.Client, w.Server} {
			fds := m.Host.Established()
			if len(fds) != 1 {
				t.Fatalf("%s: got %d connections, want 1", c.keys, len(fds))
			}
			got, _ := m.Host.SocketOptions(fds[0])
			got.KeepAlive = c.want.KeepAlive // every TCP connection has it, whatever the policy says
			if got != c.want {
				t.Errorf("%s: socket options: got %+v, want %+v", c.keys, got, c.want)
			}
		}
	}
}

// TestReconnectKeys: the keys that decide about a reconnect after a loss. nailed_up overrides opportunistic.
func TestReconnectKeys(t *testing.T) {
	const once, again = "CREATING CONNECTING CONNECTED DISCONNECTED", "CREATING CONNECTING CONNECTED DISCONNECTED POLL CONNECTING CONNECTED"
	for _, c := range []struct{ keys, want string }{
		{`"opportunistic":true`, once},
		{`"opportunistic":false`, again},
		{`"nailed_up":true`, again},
		{`"nailed_up":true,"opportunistic":true`, again},
		{`"opportunistic":true,"nailed_up":true`, again},
	} {
		w := newWorld(t, clientDoc(`"protocol":"raw","retry":"never",`+c.keys, rawServer), plan{})
		w.Serve("srv", nil)
		s := newScript()
		h := w.Create("c", s)
		h.Connect()
		w.Advance(3 * time.Second)
		w.Net.ResetAll(w.Client.Host)
		w.Advance(3 * time.Second)
		w.WantLife("{"+c.keys+"}", s, c.want)
	}
}

// TestNotImplementedIsRefused: Create refuses a stream that needs a feature which is not implemented, and names the
// key and the stream type. Otherwise the stream would connect directly, or unsigned, and report success.
func TestNotImplementedIsRefused(t *testing.T) {
	const socks = `"via-socks5":"127.0.0.1:1080"`
	for _, c := range []struct {
		name, top, keys string
		environment     string // Config.SocksProxy
		want            string // "": it is created
	}{
		{"nothing of all that", "", `"endpoint":"10.0.0.2","port":80`, "", ""},
		{"a proxy of the stream type", "", `"endpoint":"10.0.0.2","port":80,` + socks, "", `the stream type's "via-socks5" is not implemented yet`},
		{"the document's proxy", socks + ",", `"endpoint":"10.0.0.2","port":80`, "", `the policy's "via-socks5" is not implemented yet`},
		{"the document's proxy, for raw", socks + ",", `"endpoint":"10.0.0.2","port":80,"protocol":"raw"`, "", `the policy's "via-socks5" is not implemented yet`},
		{"the document's proxy, and a host of metadata", socks + ",", `"endpoint":"${h}","port":80,"metadata":[{"h":""}]`, "", `the policy's "via-socks5" is not implemented yet`},
		{"the environment's proxy", "", `"endpoint":"10.0.0.2","port":80`, "127.0.0.1:1080", "socks_proxy"},
		{"the environment's proxy, loopback", "", `"endpoint":"127.0.0.1","port":80`, "127.0.0.1:1080", "socks_proxy"},
		{"a proxy, and none for this one", socks + ",", `"endpoint":"10.0.0.2","port":80,"via-socks5":"none"`, "127.0.0.1:1080", ""},
		{"a proxy, and a Unix socket", socks + ",", `"endpoint":"+/run/x"`, "127.0.0.1:1080", ""},
		{"a proxy, and a Unix socket whose name is metadata", socks + ",", `"endpoint":"+${h}","metadata":[{"h":""}]`, "127.0.0.1:1080", ""},
		{"a proxy, and a server", socks + ",", `"server":true,"port":80`, "127.0.0.1:1080", ""},
		{"authentication", `"auth":[{"name":"n","type":"sigv4","blob":0}],`, `"endpoint":"10.0.0.2","port":80,"use_auth":"n"`, "", `"use_auth" is not implemented yet`},
		{"an auth section that it does not use", `"auth":[{"name":"n"}],`, `"endpoint":"10.0.0.2","port":80`, "", ""},
		{"a local sink", "", `"local_sink":true`, "", `"local_sink"`},
	} {
		w := newWorld(t, `{`+c.top+`"s":[{"a":{`+c.keys+`}}]}`, plan{Client: func(cfg *ss.Config) { cfg.SocksProxy = c.environment }})
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: "a"})
		var ce *ss.CreateError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want it created", c.name, err)
		case c.want != "" && (h != nil || !errors.Is(err, ss.ErrUnsupported) || !errors.As(err, &ce) || ce.StreamType != "a" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, %v; want ErrUnsupported for stream type a with %q", c.name, h, err, c.want)
		case c.want != "" && w.Client.Runtime.Len() != 0:
			t.Errorf("%s: a refused stream is left", c.name)
		}
	}
	for _, doc := range []string{`{"s":[]}`, `{"s":[{"_lws_smd":{"endpoint":"10.0.0.2","port":80}}]}`} {
		w := newWorld(t, doc, plan{})
		if h, err := w.Client.Runtime.Create(ss.Info{StreamType: "_lws_smd"}); h != nil || !errors.Is(err, ss.ErrUnsupported) || !strings.Contains(err.Error(), "system messages") {
			t.Errorf("_lws_smd with %s: got %v, %v; want ErrUnsupported", doc, h, err)
		}
	}
	if _, err := policy.Parse([]byte(`{"s":[{"a":{"endpoint":"file:///etc/motd"}}]}`)); err == nil || !strings.Contains(err.Error(), "file:// is not an endpoint") {
		t.Errorf("file://: got %v, want the policy refused", err)
	}
}

// TestRedirectNeedsProxy: a stream to a Unix socket needs no proxy, but the target of its redirect does.
func TestRedirectNeedsProxy(t *testing.T) {
	for _, c := range []struct{ name, keys, proxy, want string }{
		{"no proxy", "", "", "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"},
		{"a proxy", "", "127.0.0.1:1080", "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{"a proxy, and none for this one", `,"via-socks5":"none"`, "127.0.0.1:1080", "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"},
	} {
		w := newWorld(t, `{"retry":[{"none":{"backoff":[700],"conceal":0}}],"s":[
			{"c":{"endpoint":"+@sock","protocol":"h1","http_url":"/a","allow_redirects":true,"opportunistic":true,"retry":"none"`+c.keys+`}},
			{"unix":{"server":true,"endpoint":"+@sock","protocol":"h1","direct_proto_str":true,"metadata":[{"path":""},{"authority":""},{"auth":""}]}},
			{"tcp":{"server":true,"port":80,"protocol":"h1"}}]}`,
			plan{Single: true, Client: func(k *ss.Config) { k.SocksProxy = c.proxy }})
		var asked []string
		w.Serve("unix", signpost("unix", "http://10.0.0.2/b", &asked))
		reached := 0
		w.Serve("tcp", func(s *script) { reached++; answer(200, "hello")(s) })
		s := newScript()
		w.Create("c", s).Connect()
		w.Advance(time.Second)
		w.WantLife(c.name, s, c.want)
		if direct := c.proxy == "" || c.keys != ""; (reached == 1) != direct || len(asked) != 1 {
			t.Errorf("%s: %d connections past the proxy, asked %q, %v", c.name, reached, asked, s.Causes)
		}
	}
}

// TestWakingTimersAreNotImplemented: one warning for each stream type with swake_validity, when its first stream is
// created.
func TestWakingTimersAreNotImplemented(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, clientDoc(`"protocol":"raw","swake_validity":true`, `,{"d":{"endpoint":"10.0.0.2","port":80}}`),
		plan{Client: func(k *ss.Config) { k.Log = slog.New(slog.NewTextHandler(&log, nil)) }})
	for _, streamType := range []string{"c", "c", "d"} {
		w.Create(streamType, newScript())
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "swake_validity") || !strings.Contains(log.String(), "stream=c") {
		t.Errorf("%d warnings, want one for swake_validity of stream c:\n%s", n, log.String())
	}
}

// TestHostileValueOfEndpoint: for any metadata a stream connects to the host, port and kind of address that its
// policy's text allows, or not at all; a refused value fails the attempt before a connection is made.
func TestHostileValueOfEndpoint(t *testing.T) {
	for _, v := range []string{
		"10.0.0.2:99", "http://10.0.0.2:99/", "https://10.0.0.2", "+/run/evil", "+@evil", "!srv", "file:///etc/passwd", "10.0.0.2/", "10.0.0.2?x=", "10.0.0.2#",
		"user@10.0.0.2", "10.0.0.2\r\nX: y", "10.0.0.2\x00", " 10.0.0.2", "10.0.0.2 ", "10.0.0.%32", "\u00e9", "\xff", "[10.0.0.2]:99", "[::1]:99", "10.0.0.2\\", "..",
	} {
		for _, endpoint := range []string{"${v}", "http://${v}", "http://${v}:80/", "10.0.0.2${v}", "http://10.0.0.2:${v}/"} {
			doc := clientDoc(`"protocol":"h1","retry":"none","metadata":[{"v":""}]`,
				`,{"evil":{"server":true,"port":99,"protocol":"h1"}},{"unix":{"server":true,"endpoint":"+/run/evil","protocol":"h1"}},`+
					`{"abstract":{"server":true,"endpoint":"+@evil","protocol":"h1"}},{"srv":{"server":true,"port":80,"protocol":"h1"}}`)
			w := newWorld(t, strings.Replace(doc, `"endpoint":"10.0.0.2"`, `"endpoint":"`+endpoint+`"`, 1), plan{Single: true})
			for _, server := range []string{"evil", "unix", "abstract", "srv"} {
				w.Serve(server, func(*script) { t.Errorf("%s with %q: reached the server %s", endpoint, v, server) })
			}
			s := newScript()
			h := w.Create("c", s)
			h.SetMetadataString("v", v)
			h.Connect()
			w.Advance(time.Second)
			w.WantLife(fmt.Sprintf("%s with %q", endpoint, v), s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			w.WantCause(s, ss.ErrEndpoint)
			if dialled := w.Client.Runtime.Net().Counters.Dialled; dialled != 0 {
				t.Errorf("%s with %q: %d connections were tried, want none", endpoint, v, dialled)
			}
			if n := w.Client.Runtime.Counters.ValuesRefused; n != 1 && v != ".." { // dots are octets of a host
				t.Errorf("%s with %q: ValuesRefused: got %d, want 1", endpoint, v, n)
			}
		}
	}
}

// TestHostileValueOfURL: a plain value in http_url is sent unchanged, one that is not allowed there fails the attempt
// before a connection is made, and an encoded one is a segment or an argument, whatever it contains.
func TestHostileValueOfURL(t *testing.T) {
	for _, c := range []struct{ url, v, want string }{ // want is the request target; "": refused
		{"/a/${v}/b", "/../../admin", "/a//../../admin/b"},
		{"/a/${v}/b", "?x=", "/a/?x=/b"},
		{"/a/${v}/b", "%2f", "/a/%2f/b"},
		{"/a/${v}/b", "@evil:99", "/a/@evil:99/b"},
		{"${v}", "/x?y", "/x?y"},
		{"/a/${v}/b", "#", ""},
		{"/a/${v}/b", "a b", ""},
		{"/a/${v}/b", "x HTTP/1.1\r\nEvil: yes\r\n\r\n", ""},
		{"/a/${v}/b", "\x00", ""},
		{"/a/${v}/b", "\u00e9", ""},
		{"/a/${v}/b", strings.Repeat("x", 8000), ""},
		{"/a/${v|path}/b", "/../../admin", "/a/%2F..%2F..%2Fadmin/b"},
		{"/a/${v|path}/b", "..", ""},
		{"/a/${v|path}/b", ".", ""},
		{"/a/${v|path}/b", "?x=#", "/a/%3Fx%3D%23/b"},
		{"/a/${v|path}/b", "%2f", "/a/%252f/b"},
		{"/a/${v|path}/b", "\r\n\x00 \u00e9", "/a/%0D%0A%00%20%C3%A9/b"},
		{"/a?q=${v|query}&r=1", "1&delete=1", "/a?q=1%26delete%3D1&r=1"},
		{"/a?q=${v|query}", "a+b c", "/a?q=a%2Bb%20c"},
		{"/a?q=${v|query}", strings.Repeat("\u00e9", 4000), ""},
	} {
		w := newWorld(t, clientDoc(`"protocol":"h1","retry":"none","http_url":"`+c.url+`","metadata":[{"v":""}]`, rawServer), plan{})
		wire := ""
		w.Serve("srv", func(s *script) {
			speak("\r\n\r\n", okEmpty, false)(s)
			inner := s.OnRx
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				wire += string(b)
				return inner(h, b, f)
			}
		})
		s := newScript()
		h := w.Create("c", s)
		h.SetMetadataString("v", c.v)
		h.Connect()
		w.Advance(time.Second)
		if c.want == "" {
			w.WantLife(fmt.Sprintf("%s with %.40q", c.url, c.v), s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			w.WantCause(s, policy.ErrValue)
			if n := w.Client.Runtime.Counters.ValuesRefused; n != 1 || len(w.Accepted) != 0 {
				t.Errorf("%s with %.40q: ValuesRefused %d, connections %d; want 1 and none", c.url, c.v, n, len(w.Accepted))
			}
			continue
		}
		if len(w.Accepted) != 1 {
			t.Errorf("%s with %q: %d connections, want 1; causes %v", c.url, c.v, len(w.Accepted), s.Causes)
			continue
		}
		if line, _, _ := strings.Cut(wire, "\r\n"); line != "GET "+c.want+" HTTP/1.1" {
			t.Errorf("%s with %q: the request line is %q, want the target %q", c.url, c.v, line, c.want)
		}
	}
}

// TestValueError: the cause of a refused value names stream type, key, metadata item and octet, and does not contain
// the value.
func TestValueError(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","retry":"none","http_url":"/${token}","metadata":[{"token":""}]`, ""), plan{})
	s := newScript()
	h := w.Create("c", s)
	h.SetMetadataString("token", "secret\r\n")
	h.Connect()
	w.Advance(time.Second)
	want := `stream type c: http_url: metadata "token": value not allowed: octet 0x0d at offset 6 is not allowed in a request target`
	var e *policy.ValueError
	if len(s.Causes) == 0 || s.Causes[0] == nil || s.Causes[0].Error() != want || !errors.As(s.Causes[0], &e) || e.Metadata != "token" || e.Key != "http_url" {
		t.Errorf("cause:\n got %v\nwant %s", s.Causes, want)
	}
}

// TestWindowOverflowQuirk: a server that raises its window above the maximum breaks the connection, unless
// h2q_oflow_txcr tolerates that.
func TestWindowOverflowQuirk(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"", "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{`,"h2q_oflow_txcr":false`, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"},
		{`,"h2q_oflow_txcr":true`, `CREATING CONNECTING CONNECTED rx("hello /"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
	} {
		w := newWorld(t, clientDoc(`"protocol":"h2","retry":"none"`+c.keys, rawServer), plan{})
		w.frames("srv", func(p *framePeer) {
			p.onReq = func(p *framePeer, q *peerRequest) {
				p.frame(fWindow, 0, 0, []byte{0x7F, 0xFF, 0xFF, 0xFF})
				p.answer(q, 200, "hello "+q.path)
			}
		})
		s := newScript()
		w.Create("c", s).Connect()
		w.Advance(time.Second)
		w.WantLine("{"+c.keys+"}", s, c.want)
	}
}
