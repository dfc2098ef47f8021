package interop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// nginx is an nginx process with its own configuration and logs, which runs while its test runs.
type nginx struct {
	t    *testing.T
	exe  string
	dir  string
	port string
	*process
}

// nginxConf runs nginx as a single process, so that stopping the process stops everything. The %s are: the
// directory, the content of http, the port, the content of server.
const nginxConf = `daemon off;
master_process off;
error_log stderr warn;
pid %[1]s/pid;
events { worker_connections 512; }
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	log_format seen '$connection $connection_requests $request_method $uri $status';
	access_log %[1]s/access.log seen;
	client_max_body_size 0;
	default_type text/plain;
	%[2]s
	server {
		listen 127.0.0.1:%[3]s;
		root %[1]s/www;
		%[4]s
	}
}
`

// startNginx starts nginx. files are names and contents below the root.
func startNginx(t *testing.T, inHTTP, inServer string, files ...string) *nginx {
	t.Helper()
	n := &nginx{t: t, exe: need(t, "nginx", "nginx-light"), dir: t.TempDir(), port: freePort(t)}
	if err := os.Mkdir(filepath.Join(n.dir, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(n.dir, "www", files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := fmt.Sprintf(nginxConf, n.dir, inHTTP, n.port, inServer)
	if err := os.WriteFile(filepath.Join(n.dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	n.up()
	return n
}

// up starts the process, first or again on the same port.
func (n *nginx) up() {
	n.t.Helper()
	n.process = start(n.t, nil, nil, n.exe, "-p", n.dir, "-c", filepath.Join(n.dir, "nginx.conf"), "-e", "stderr")
	listening(n.t, n.process, n.port)
}

// down stops the process, which closes its connections.
func (n *nginx) down() { n.process.stop(syscall.SIGTERM) }

func (n *nginx) url(path string) string { return "http://127.0.0.1:" + n.port + path }

// log waits until the access log has as many lines as want, and fails the test unless they are equal. It renumbers the
// connections from 1.
func (n *nginx) log(want ...string) {
	n.t.Helper()
	var got []string
	poll(n.t, fmt.Sprintf("%d lines in nginx's access log", len(want)), func() bool {
		b, _ := os.ReadFile(filepath.Join(n.dir, "access.log"))
		got = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		return len(got) >= len(want) && got[0] != ""
	})
	number := map[string]int{}
	for i, line := range got {
		id, rest, _ := strings.Cut(line, " ")
		if number[id] == 0 {
			number[id] = len(number) + 1
		}
		got[i] = fmt.Sprintf("%d %s", number[id], rest)
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		n.t.Errorf("nginx saw (connection, request on it, method, path, status)\n%s\nwant\n%s", g, w)
	}
}

// policy returns a policy with client stream types for n.
func (n *nginx) policy() string {
	return strings.ReplaceAll(`{
	"retry": [{"growing": {"backoff": [100, 200, 400], "conceal": 60, "jitterpc": 0}},
	          {"once": {"backoff": [50], "conceal": 1, "jitterpc": 0}}],
	"s": [
		{"get": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_url": "${path}", "opportunistic": true, "retry": "growing",
		         "metadata": [{"path": ""}]}},
		{"once": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_url": "${path}", "opportunistic": true, "retry": "once",
		         "metadata": [{"path": ""}]}},
		{"post": {"endpoint": "127.0.0.1", "port": PORT, "protocol": "h1", "http_method": "POST", "http_url": "upload", "opportunistic": true,
		         "retry": "once"}}]}`, "PORT", n.port)
}

func TestFetchFromNginx(t *testing.T) {
	body := pattern(3<<20, 21)
	n := startNginx(t, "", `
		location /chunked { ssi on; ssi_types *; }
		location /nothing { return 204; }
		location /moved { return 301 /file; }
		location /busy { return 503; }
		location /refused { return 403 "go away\n"; }`,
		"file", body, "empty", "", "chunked", "before <!--# echo var=\"request_method\" --> after\n")
	for _, c := range []struct {
		args   []string
		status int
		out    string
	}{
		{[]string{n.url("/file")}, 0, body},
		{[]string{n.url("/empty")}, 0, ""},
		{[]string{n.url("/chunked")}, 0, "before GET after\n"},
		{[]string{n.url("/nothing")}, 0, ""},
		{[]string{"-X", "HEAD", n.url("/file")}, 0, ""},
		{[]string{n.url("/refused")}, 1, "go away\n"},
		{[]string{"-X", "DELETE", n.url("/nothing")}, 0, ""},
	} {
		r := finish(t, nil, millrace, append([]string{"fetch"}, c.args...)...)
		if r.status != c.status {
			t.Errorf("millrace fetch %q: status %d, want %d\n%s", c.args, r.status, c.status, r.err)
		}
		same(t, fmt.Sprint(c.args), r.out, c.out)
	}
	// Check that this response was really chunked.
	if r := curl(t, "-I", "-X", "GET", n.url("/chunked")); !strings.Contains(r.out, "Transfer-Encoding: chunked") {
		t.Errorf("nginx answers /chunked without chunks:\n%s", r.out)
	}
	if r := finish(t, nil, millrace, "fetch", n.url("/none")); r.status != 1 || !strings.Contains(r.out, "404 Not Found") ||
		!strings.Contains(r.err, "nack") {
		t.Errorf("404: got status %d, want 1, nginx's page, and the word nack\n%s%s", r.status, r.out, r.err)
	}
	p := file(t, "policy.json", n.policy())
	for path, says := range map[string]string{"moved": "redirect", "busy": "503"} {
		r := finish(t, nil, millrace, "fetch", "--policy", p, "--stream", "once", "-m", "path="+path, "-v")
		if r.status != 3 || !strings.Contains(r.err, "LWSSSCS_ALL_RETRIES_FAILED") || !strings.Contains(r.err, says) {
			t.Errorf("/%s: status %d, want 3 after all retries, and %q\n%s", path, r.status, says, r.err)
		}
	}
}

// Five transactions of one stream share one connection; when nginx closes it, the stream makes the next one without a state
// change.
func TestNginxSeesKeepAlive(t *testing.T) {
	n := startNginx(t, "keepalive_requests 3;", "", "file", "hello\n")
	s := newScene(t, n.policy())
	left := 5
	c := &call{}
	c.over = func(h *ss.Handle) ss.Ret {
		same(t, "the answer", c.body.String(), "hello\n")
		if left--; left == 0 {
			return ss.DestroyMe
		}
		return h.Connect()
	}
	s.play(c, "get", "path", "file")
	const txn = " CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED"
	c.passed(t, "CREATING"+strings.Repeat(txn, 5)+" DESTROYING")
	n.log("1 1 GET /file 200", "1 2 GET /file 200", "1 3 GET /file 200", "2 1 GET /file 200", "2 2 GET /file 200")
}

// nginx stops, the stream retries as its policy says, nginx starts again, and the stream continues.
func TestNginxStoppedAndRestarted(t *testing.T) {
	n := startNginx(t, "", "", "file", "hello\n")
	s := newScene(t, n.policy())
	c := &call{}
	unreachable, done := 0, 0
	back := make(chan struct{})
	c.onState = func(st ss.State) {
		if st == ss.Unreachable {
			if unreachable++; unreachable == 4 {
				go func() { n.up(); close(back) }()
			}
		}
	}
	c.over = func(h *ss.Handle) ss.Ret {
		if done++; done == 2 {
			return ss.DestroyMe
		}
		n.down()
		return h.Connect()
	}
	s.play(c, "get", "path", "file")
	<-back
	if unreachable < 4 {
		t.Fatalf("got %d failed attempts, want at least 4: %s", unreachable, names(c.states))
	}
	const txn = " CONNECTED QOS_ACK_REMOTE DISCONNECTED"
	c.passed(t, "CREATING CONNECTING"+txn+" CONNECTING"+strings.Repeat(" UNREACHABLE POLL CONNECTING", unreachable)+txn+" DESTROYING")
	same(t, "the answer after the restart", c.body.String(), "hello\n")
	delays := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	failures := 0
	for i, st := range c.states {
		if st != ss.Unreachable {
			continue
		}
		want := delays[min(failures, len(delays)-1)]
		// The delay counts from the start of the turn that reported the failure, a moment before the state callback.
		if got := c.at[i+1] - c.at[i]; got < want-10*time.Millisecond || got > want+2*time.Second {
			t.Errorf("failure %d: got the next attempt after %v, want %v or a little more", failures+1, got, want)
		}
		failures++
	}
	for _, err := range c.causes {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got cause %v, want connection refused", err)
		}
	}
}

// 503 with Retry-After is a request to retry, not before the time that it names.
func TestNginxRetryAfter(t *testing.T) {
	n := startNginx(t, "", `location /busy { add_header Retry-After 1 always; return 503; }`)
	s := newScene(t, n.policy())
	c := &call{}
	s.play(c, "once", "path", "busy")
	c.passed(t, "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING")
	if got := c.at[3] - c.at[2]; got < 990*time.Millisecond || got > 5*time.Second {
		t.Errorf("got the second attempt after %v, want at least 1 s (Retry-After)", got)
	}
	var status *ss.StatusError
	if len(c.causes) == 0 || !errors.As(c.causes[0], &status) || status.Status != 503 {
		t.Errorf("causes %v, want a StatusError with 503", c.causes)
	}
}

// nginx as a reverse proxy before our server: uploads with both framings pass through it, over one kept connection.
func TestNginxInFrontOfServe(t *testing.T) {
	srv, at := serve(t, servers, "web", "--echo", "-v")
	n := startNginx(t, "upstream ours { server "+at+"; keepalive 4; }", `
		location / {
			proxy_pass http://ours;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering off;
		}`)
	body := pattern(2<<20, 22)
	data := "@" + file(t, "body", body)
	const uploads = 4
	s := newScene(t, n.policy())
	left := uploads
	c := &call{send: body}
	c.over = func(h *ss.Handle) ss.Ret {
		same(t, "a POST through nginx", c.body.String(), body)
		if left--; left == 0 {
			return ss.DestroyMe
		}
		return h.Connect()
	}
	s.play(c, "post")
	c.passed(t, "CREATING"+strings.Repeat(" CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED", uploads)+" DESTROYING")

	same(t, "curl's chunked upload", curl(t, "-H", "Transfer-Encoding: chunked", "--data-binary", data, n.url("/")).out, body)
	r := finish(t, strings.NewReader(body), millrace, "fetch", n.url("/"), "--data", "@-")
	same(t, "millrace's chunked upload", r.out, body)
	poll(t, "the server's log to be complete", func() bool {
		return strings.Count(srv.err.String(), "LWSSSCS_SERVER_TXN") >= uploads+2
	})
	if got := strings.Count(srv.err.String(), "msg=LWSSSCS_CONNECTED "); got != 1 {
		t.Errorf("nginx used %d connections to its upstream server, want 1\n%s", got, &srv.err)
	}
}
