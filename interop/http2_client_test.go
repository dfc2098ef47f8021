package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// batch is a set of streams that end with their first transaction.
type batch struct {
	scene *scene
	left  int
	bad   []string
}

// member is one stream of a batch.
type member struct {
	c      *batch
	path   string
	want   string
	body   string // of a POST
	got    strings.Builder
	states []ss.State
}

// State implements ss.Stream.
func (m *member) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if !n.Again { // a rewind: send the body again
		m.states = append(m.states, s)
	}
	switch s {
	case ss.Disconnected, ss.AllRetriesFailed:
		if states := names(m.states); states != "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED" || m.got.String() != m.want {
			m.c.bad = append(m.c.bad, fmt.Sprintf("%s: %d bytes, %s, cause %v", m.path, m.got.Len(), states, n.Cause))
		}
		return ss.DestroyMe
	case ss.Destroying:
		if m.c.left--; m.c.left == 0 {
			m.c.scene.rt.Drain(m.c.scene.loop.Stop)
		}
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (m *member) Rx(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	m.got.Write(b)
	return ss.OK
}

// Tx implements ss.Stream.
func (m *member) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if m.body == "" {
		return 0, 0, ss.TxDontSend
	}
	return copy(buf, m.body), ss.SOM | ss.EOM, ss.OK
}

// fetchBatch makes n streams of a type fetch a path at once, and returns a line for each unexpected result.
func (s *scene) fetchBatch(n int, streamType, path, want string) []string {
	s.t.Helper()
	c := &batch{scene: s, left: n}
	for range n {
		m := &member{c: c, path: path, want: want}
		if streamType == "post" {
			m.body = "the body of a POST"
		}
		h, err := s.rt.Create(ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return m }})
		if err != nil {
			s.t.Fatal(err)
		}
		if err := h.SetMetadataString("path", path); err != nil {
			s.t.Fatal(err)
		}
		h.Connect()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.loop.Run(ctx); err != nil {
		s.t.Fatal(err)
	}
	if c.left > 0 {
		var dump strings.Builder
		s.rt.Dump(&dump)
		s.t.Fatalf("%d streams did not end within %v\n%s", c.left, patience, &dump)
	}
	return c.bad
}

// Streams that share a connection to nginx all get their response: nginx refuses streams above its limit, and sends
// GOAWAY on every connection after ten requests.
func TestSharedWithNginx(t *testing.T) {
	const text = "hello from nginx\n"
	big := strings.Repeat("0123456789abcdef", 1<<14)
	root := authority(t, "root")
	server := root.issue(t, "127.0.0.1", ecKey(t), nil)
	for _, c := range []struct {
		name, listen, conf string
		secure             bool
		path, want         string
		n, least, most     int // streams, and connections
	}{
		{"clear", "http2", "keepalive_requests 10000;", false, "/hello", text, 100, 1, 1},
		{"clear, large", "http2", "keepalive_requests 10000;", false, "/big", big, 30, 1, 1},
		{"clear, limited", "http2", "keepalive_requests 10000; http2_max_concurrent_streams 4;", false, "/hello", text, 60, 1, 2},
		{"clear, sent away", "http2", "keepalive_requests 10;", false, "/hello", text, 95, 10, 12},
		{"clear, large, limited and sent away", "http2", "keepalive_requests 10; http2_max_concurrent_streams 4;", false, "/big", big, 40, 4, 8},
		{"TLS", "ssl http2", "keepalive_requests 10000;", true, "/hello", text, 100, 1, 1},
		{"TLS, HTTP/1.1", "ssl", "", true, "/hello", text, 20, 1, 1},
		{"TLS, HTTP/1.1, each closed", "ssl", "keepalive_requests 1;", true, "/hello", text, 6, 6, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := freePort(t)
			if c.secure {
				c.conf += "ssl_certificate " + server.pem + "; ssl_certificate_key " + server.pkey + ";"
			}
			n := startNginx(t, "", "listen 127.0.0.1:"+port+" "+c.listen+"; "+c.conf, "hello", text, "big", big)
			where := `"endpoint":"127.0.0.1","opportunistic":true,"retry":"once"`
			if c.secure {
				where = "CLIENT"
			}
			s := newScene(t, securely(t, root, server, `{"get":{`+where+`,"port":`+port+`,"protocol":"h2","http_url":"${path}","metadata":[{"path":""}]}}`))
			for _, bad := range s.fetchBatch(c.n, "get", c.path, c.want) {
				t.Error(bad)
			}
			if k := s.rt.Counters; k.Failed != 0 || k.Attempts != uint64(c.n) {
				t.Errorf("attempts: got %d, %d of them failed; want %d, 0 failed", k.Attempts, k.Failed, c.n)
			}
			if got := int(s.rt.Net().Counters.Dialled); got < c.least || got > c.most {
				t.Errorf("connections: got %d, want %d to %d", got, c.least, c.most)
			}
			n.down()
			b, err := os.ReadFile(n.dir + "/access.log")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(b), " "+c.path+" 200\n"); got != c.n {
				t.Errorf("responses of nginx: got %d, want %d", got, c.n)
			}
		})
	}
}

// nginx accepts ten requests on each connection and refuses the rest with GOAWAY before it answers them. All of
// a hundred POSTs are answered, and nginx processes each only once.
func TestPostsSentAwayByNginx(t *testing.T) {
	const n, text = 100, "taken\n"
	port := freePort(t)
	ng := startNginx(t, "", "listen 127.0.0.1:"+port+" http2; keepalive_requests 10; location /post { return 200 '"+text+"'; }")
	s := newScene(t, `{"s":[{"post":{"endpoint":"127.0.0.1","opportunistic":true,"port":`+port+`,"protocol":"h2","http_method":"POST",
		"http_url":"${path}","metadata":[{"path":""}]}}]}`)
	for _, bad := range s.fetchBatch(n, "post", "/post", text) {
		t.Error(bad)
	}
	if k := s.rt.Counters; k.Failed != 0 || k.GoneAway < n/10-1 || k.Repeated == 0 || k.Rewound == 0 {
		t.Errorf("got %d failed, %d GOAWAYs, %d repeated, %d rewound; want 0, at least 9, more than 0, more than 0", k.Failed, k.GoneAway, k.Repeated, k.Rewound)
	}
	ng.down()
	b, err := os.ReadFile(ng.dir + "/access.log")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(b), " /post 200\n"); got != n {
		t.Errorf("requests answered by nginx: got %d, want %d", got, n)
	}
}

// Streams share a connection to nghttpd, with padding and a limit of three streams; then fetch uploads and downloads over one.
func TestSharedWithNghttpd(t *testing.T) {
	exe := need(t, "nghttpd", "nghttp2-server")
	const text = "hello from nghttpd\n"
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/hello", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	root := authority(t, "root")
	cert := root.issue(t, "127.0.0.1", ecKey(t), nil)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			port := freePort(t)
			args := []string{"-a", "127.0.0.1", "-d", dir, "-m", "3", "-b", "100", "--echo-upload"}
			url, where, ca := "http://127.0.0.1:"+port, `"endpoint":"127.0.0.1","opportunistic":true,"retry":"once"`, []string{}
			if secure {
				args = append(args, port, cert.pkey, cert.pem)
				url, where, ca = "https://127.0.0.1:"+port, "CLIENT", []string{"--ca", root.pem}
			} else {
				args = append(args, "--no-tls", port)
			}
			listening(t, start(t, nil, nil, exe, args...), port)
			s := newScene(t, securely(t, root, cert, `{"get":{`+where+`,"port":`+port+`,"protocol":"h2","http_url":"${path}","metadata":[{"path":""}]}}`))
			for _, bad := range s.fetchBatch(50, "get", "/hello", text) {
				t.Error(bad)
			}
			if got := s.rt.Net().Counters.Dialled; got > 2 {
				t.Errorf("connections: got %d, want 2 at most", got)
			}
			payload := strings.Repeat("what goes out comes back ", 40000)
			fetch := append([]string{"fetch", "--http2", "-X", "PUT", "--data", "@" + file(t, "payload", payload), url + "/a", url + "/b"}, ca...)
			out, err := exec.Command(millrace, fetch...).Output()
			if err != nil || string(out) != payload+payload {
				t.Errorf("fetch: %v, got %d bytes, want twice the %d that it sent", err, len(out), len(payload))
			}
		})
	}
}
