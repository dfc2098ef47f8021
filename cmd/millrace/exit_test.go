package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestExitStatuses checks the statuses of every subcommand against the table in docs/operations.md.
func TestExitStatuses(t *testing.T) {
	at := web(t)
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	sealed := filepath.Join(dir, "sealed") // a directory in which no file can be made, for root neither
	if err := os.WriteFile(sealed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	policy := write(t, "policy.json", `{"s":[
		{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1"}},
		{"taken": {"server": true, "endpoint": "127.0.0.1", "port": `+port(l.Addr().String())+`, "protocol": "h1"}},
		{"nowhere": {"server": true, "endpoint": "192.0.2.1", "port": 0, "protocol": "h1"}},
		{"secret": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "tls": true}},
		{"get": {"endpoint": "127.0.0.1", "port": `+port(at)+`, "protocol": "h1", "http_url": "${path}", "opportunistic": true,
		         "metadata": [{"path": ""}, {"tag": "x-tag:"}]}},
		{"serial": {"endpoint": "127.0.0.1", "port": `+port(at)+`, "protocol": "h1", "http_dsn_header": "x-serial", "opportunistic": true}},
		{"cert": {"endpoint": "127.0.0.1", "port": `+port(at)+`, "protocol": "h1", "tls": true, "client_cert": 0, "opportunistic": true}},
		{"host": {"endpoint": "${host}", "port": 1, "protocol": "h1", "opportunistic": true, "metadata": [{"host": ""}]}}]}`)
	bad := write(t, "bad.json", `{"s":[{"web":{"sever":true}}]}`)
	noPEM := write(t, "no.pem", "nothing")
	serve := func(args ...string) []string { return append([]string{"serve", "--policy", policy}, args...) }
	typed := func(args ...string) []string {
		return append([]string{"fetch", "--policy", policy, "--stream"}, args...)
	}
	fetch := func(args ...string) []string { return append([]string{"fetch", "--timeout", "300ms"}, args...) }
	for _, c := range []struct {
		name   string
		args   []string
		status int
	}{
		{"help", []string{"help"}, 0},
		{"help of one", []string{"help", "cert"}, 0},
		{"help of none", []string{"help", "frob"}, 2},
		{"no subcommand", nil, 2},
		{"a subcommand that is none", []string{"frob"}, 2},

		{"version", []string{"version"}, 0},
		{"version with an argument", []string{"version", "x"}, 2},

		{"demo with an argument", []string{"demo", "x"}, 2},

		{"cert", []string{"cert", "-o", filepath.Join(dir, "lab"), "localhost"}, 0},
		{"cert without names", []string{"cert", "-o", filepath.Join(dir, "lab")}, 2},
		{"cert for what is no name", []string{"cert", "-o", filepath.Join(dir, "lab2"), "a b"}, 2},
		{"cert with existing files", []string{"cert", "-o", filepath.Join(dir, "lab"), "localhost"}, 4},
		{"cert in a read-only directory", []string{"cert", "-o", filepath.Join(sealed, "lab"), "localhost"}, 4},

		{"policy check", []string{"policy", "check", policy}, 0},
		{"policy schema", []string{"policy", "schema"}, 0},
		{"policy check of a bad one", []string{"policy", "check", bad}, 1},
		{"policy without a word", []string{"policy"}, 2},
		{"policy check of no file", []string{"policy", "check", none}, 4},
		{"policy check of a directory", []string{"policy", "check", dir}, 4},

		{"serve without flags", []string{"serve"}, 2},
		{"serve of a bad policy", []string{"serve", "--policy", bad, "--stream", "web", "--echo"}, 2},
		{"serve of no policy", []string{"serve", "--policy", none, "--stream", "web", "--echo"}, 4},
		{"serve of an unknown stream type", serve("--stream", "x", "--echo"), 2},
		{"serve of a client's stream type", serve("--stream", "get", "--echo"), 2},
		{"serve over TLS without a certificate", serve("--stream", "secret", "--echo"), 2},
		{"serve on an address in use", serve("--stream", "taken", "--echo"), 4},
		{"serve on an address of another machine", serve("--stream", "nowhere", "--echo"), 4},
		{"serve of no file", serve("--stream", "web", "--file", none), 4},
		{"serve with no certificate's file", serve("--stream", "secret", "--echo", "--cert", none, "--key", none), 4},
		{"serve with a certificate that is none", serve("--stream", "secret", "--echo", "--cert", noPEM, "--key", noPEM), 2},
		{"serve with no --client-ca's file", serve("--stream", "secret", "--echo", "--client-ca", none), 4},
		{"serve with a --client-ca that is none", serve("--stream", "secret", "--echo", "--client-ca", noPEM), 2},
		{"serve in clear with --client-ca", serve("--stream", "web", "--echo", "--client-ca", noPEM), 2},
		{"serve with a blob that is none", serve("--stream", "web", "--echo", "--blob", "X=1"), 2},
		{"serve with no blob's file", serve("--stream", "web", "--echo", "--blob", "AUTH=@"+none), 4},

		{"fetch", fetch("http://" + at + "/"), 0},
		{"fetch refused", fetch("http://" + at + "/no"), 1},
		{"fetch of a WebSocket where none is", fetch("ws://" + at + "/"), 1},
		{"fetch without arguments", fetch(), 2},
		{"fetch of what is no URL", fetch("x"), 2},
		{"fetch by an unknown scheme", fetch("gopher://x/"), 2},
		{"fetch from no host", fetch("http:///"), 2},
		{"fetch from a port that is none", fetch("http://127.0.0.1:99999/"), 2},
		{"fetch from a port that is no number", fetch("http://127.0.0.1:x/"), 2},
		{"fetch from half an IPv6 address", fetch("http://[::1/"), 2},
		{"fetch from a host with a blank", fetch("http://a b/"), 2},
		{"fetch with a blank in the path", fetch("http://" + at + "/a b"), 2},
		{"fetch with a control character in the path", fetch("http://" + at + "/\x1b"), 2},
		{"fetch with a letter in the path", fetch("http://" + at + "/ü"), 0},
		{"fetch with a method that is none", fetch("http://"+at+"/", "-X", "BREW"), 2},
		{"fetch with metadata that are none", fetch("http://"+at+"/", "-m", "x=1"), 2},
		{"fetch with metadata that cannot be sent", typed("get", "-m", "path=/", "-m", "tag=a\nb"), 2},
		{"fetch with a path that cannot be sent", typed("get", "-m", "path=/a b"), 2},
		{"fetch from a host that is none", typed("host", "-m", "host=a b"), 2},
		{"fetch by a bad policy", []string{"fetch", "--policy", bad, "--stream", "web"}, 2},
		{"fetch by no policy", []string{"fetch", "--policy", none, "--stream", "web"}, 4},
		{"fetch by an unknown stream type", typed("x"), 2},
		{"fetch by a server's stream type", typed("web"), 2},
		{"fetch without a blob that is needed", typed("serial"), 2},
		{"fetch with a blob that cannot be sent", typed("serial", "--blob", "DEVICE_SERIAL=a\nb"), 2},
		{"fetch with no blob's file", typed("serial", "--blob", "DEVICE_SERIAL=@"+none), 4},
		{"fetch without a certificate that is needed", typed("cert"), 2},
		{"fetch with a certificate without TLS", typed("get", "--client-cert", noPEM, "--client-key", noPEM), 2},
		{"fetch with no certificate's file", typed("cert", "--client-cert", none, "--client-key", none), 4},
		{"fetch with half a certificate", typed("cert", "--client-cert", noPEM), 2},
		{"fetch with cookies that are not kept", typed("get", "--cookies", none), 2},
		{"fetch with cookies that cannot be read", fetch("http://"+at+"/", "--cookies", dir), 4},
		{"fetch with a CA that is none", fetch("https://"+at+"/", "--ca", noPEM), 2},
		{"fetch with no CA's file", fetch("https://"+at+"/", "--ca", none), 4},
		{"fetch from a closed port", fetch("http://127.0.0.1:1/"), 3},
		{"fetch from a name that is none", fetch("http://x.invalid/"), 3},
		{"fetch from what speaks no TLS", fetch("https://" + at + "/"), 3},
		{"fetch of what is cut", fetch("http://" + at + "/cut"), 3},
		{"fetch of what takes too long", fetch("http://" + at + "/hang"), 3},
		{"fetch of no file", fetch("http://"+at+"/", "--data", "@"+none), 4},
		{"fetch of a directory", fetch("http://"+at+"/", "--data", "@"+dir), 4},
		{"fetch into no directory", fetch("http://"+at+"/", "-o", filepath.Join(none, "x")), 4},
		{"fetch into a directory", fetch("http://"+at+"/", "-o", dir), 4},
		{"fetch from standard input that fails", []string{"fetch", "http://" + at + "/echo", "--data", "@-"}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.args) > 0 && c.args[0] == "fetch" {
				t.Parallel() // some wait
			}
			var out, errs text
			var in io.Reader = strings.NewReader("")
			if c.args != nil && c.args[len(c.args)-1] == "@-" {
				in = &brokenInput{}
			}
			a := &app{in: in, out: &out, err: &errs, signals: make(chan os.Signal)}
			if got := a.run(c.args); got != c.status {
				t.Errorf("millrace %q: status %d, want %d\n%s%s", c.args, got, c.status, &out, &errs)
			}
			if c.status > exitRefused && errs.String() == "" {
				t.Errorf("status %d without a message", c.status)
			}
		})
	}
}

// A signal ends serve with status 0, and unfinished commands with 4.
func TestExitStatusOfSignals(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		until  string // in what is printed before the signal
		status int
	}{
		{"serve", []string{"serve", "--policy", write(t, "p.json", servePolicy), "--stream", "web", "--echo"}, "serving", 0},
		{"fetch before an answer", []string{"fetch", "http://" + web(t) + "/hang", "-v"}, "CONNECTING", 4},
		{"fetch of the first of two", []string{"fetch", "-v", "http://" + web(t) + "/hang", "http://127.0.0.1:1/"}, "CONNECTING", 4},
		{"fetch in the middle of an answer", []string{"fetch", "-v", trickle(t)}, "LWSSSCS_CONNECTED", 4},
		{"fetch on a WebSocket", []string{"fetch", "-v", "--no-close", "ws://" + serve(t, "--policy", write(t, "p.json", wsAndRaw), "--stream", "web", "--echo").at + "/"}, "LWSSSCS_CONNECTED", 4},
		{"demo", []string{"demo", "-v"}, "CREATING", 4},
	} {
		for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			var out text
			signals := make(chan os.Signal, 1)
			a := &app{in: strings.NewReader(""), out: &out, err: &out, signals: signals}
			over := make(chan int, 1)
			go func() { over <- a.run(c.args) }()
			poll(t, c.name, func() bool { return strings.Contains(out.String(), c.until) })
			signals <- sig
			if got := <-over; got != c.status && (c.name != "demo" || got != exitRefused) {
				t.Errorf("%s, %v: status %d, want %d\n%s", c.name, sig, got, c.status, &out)
			}
		}
	}
}

// trickle starts a server whose answer does not end.
func trickle(t *testing.T) (url string) {
	return "http://" + accept(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		c.Read(buf)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
		c.Read(buf)
	}) + "/"
}

// TestExitStatusesAreDocumented checks that the help and the page list every status.
func TestExitStatusesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "## Exit statuses of the command\n")
	if !ok {
		t.Fatal("docs/operations.md has no table of exit statuses")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for status := exitOK; status <= exitLocal; status++ {
		if !regexp.MustCompile(`(?m)^\| ` + strconv.Itoa(status) + ` \|`).MatchString(section) {
			t.Errorf("the table has no row for status %d", status)
		}
		if !strings.Contains(exitHelp, "\n  "+strconv.Itoa(status)+"  ") {
			t.Errorf("the help has no line for status %d", status)
		}
	}
}
