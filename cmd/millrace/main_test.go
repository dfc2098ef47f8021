package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// text is the output of a run; several goroutines may write.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// result is a completed run.
type result struct {
	status   int
	out, err string
}

// run runs the command with an empty standard input.
func run(args ...string) result { return runWith(strings.NewReader(""), args...) }

func runWith(in io.Reader, args ...string) result {
	var out, err text
	a := &app{in: in, out: &out, err: &err, signals: make(chan os.Signal)}
	status := a.run(args)
	return result{status, out.String(), err.String()}
}

// expect fails the test unless r ended with status and printed all of parts, on either output.
func (r result) expect(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d\nout: %s\nerr: %s", r.status, status, r.out, r.err)
	}
	for _, p := range parts {
		if !strings.Contains(r.out+r.err, p) {
			t.Errorf("output lacks %q\nout: %s\nerr: %s", p, r.out, r.err)
		}
	}
}

// write creates a file with the text and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// server is a `millrace serve` in this process.
type server struct {
	at      string // host:port
	signals chan os.Signal
	err     *text
	over    chan int
	want    int // the expected exit status
	t       *testing.T
}

// serve starts a server; the end of the test stops it and expects status 0, or s.want.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{signals: make(chan os.Signal, 2), err: &text{}, over: make(chan int, 1), t: t}
	r, w := io.Pipe()
	a := &app{in: strings.NewReader(""), out: w, err: s.err, signals: s.signals}
	go func() {
		status := a.run(append([]string{"serve"}, args...))
		w.Close()
		s.over <- status
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("serve %q printed no address: %v\n%s", args, err, s.err)
	}
	s.at = line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1 : len(line)-1]
	t.Cleanup(func() {
		s.signals <- syscall.SIGTERM
		s.ended(s.want)
	})
	return s
}

// hangUp sends SIGHUP to s.
func (s *server) hangUp() { s.signals <- syscall.SIGHUP }

// ended waits for the end of s and checks its status.
func (s *server) ended(want int) {
	s.t.Helper()
	select {
	case status := <-s.over:
		if status != want {
			s.t.Errorf("serve ended with status %d, want %d\n%s", status, want, s.err)
		}
		s.over <- status
	case <-time.After(20 * time.Second):
		s.t.Errorf("serve did not end within 20 s of a signal\n%s", s.err)
	}
}

func TestHelp(t *testing.T) {
	overview := run("help")
	overview.expect(t, exitOK, "usage: millrace SUBCOMMAND")
	for _, c := range commands {
		overview.expect(t, exitOK, c.brief)
		for _, args := range [][]string{{"help", c.name}, {c.name, "-h"}} {
			r := run(args...)
			r.expect(t, exitOK, "usage: millrace "+c.name, "examples:\n  millrace "+c.name, "exit status:")
			if r.err != "" {
				t.Errorf("millrace %q: help belongs on standard output, got on standard error: %s", args, r.err)
			}
		}
	}
	run("--help").expect(t, exitOK, "usage: millrace SUBCOMMAND")
}

func TestUsageErrors(t *testing.T) {
	good := write(t, "policy.json", `{"s":[{"web":{"server":true,"port":0}},{"get":{"endpoint":"127.0.0.1","port":1}},
		{"raw":{"server":true,"port":0,"protocol":"raw"}},{"later":{"server":true,"port":0,"protocol":"mqtt","mqtt_topic":"t"}}]}`)
	bad := write(t, "bad.json", `{"s":[{"web":{"sever":true}}]}`)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "usage: millrace SUBCOMMAND"},
		{[]string{"frobnicate"}, `no subcommand "frobnicate"`},
		{[]string{"help", "frobnicate"}, `no subcommand "frobnicate"`},
		{[]string{"version", "now"}, `unexpected argument "now"`},
		{[]string{"demo", "--frob"}, "flag provided but not defined: -frob"},
		{[]string{"policy"}, `use "check FILE" or "schema"`},
		{[]string{"serve"}, "--policy and --stream are needed"},
		{[]string{"serve", "--policy", good, "--stream", "web"}, "use one of --reply, --echo and --file"},
		{[]string{"serve", "--policy", good, "--stream", "web", "--echo", "--reply", ""}, "use one of"},
		{[]string{"serve", "--policy", good, "--stream", "wep", "--echo"}, `did you mean "web"?`},
		{[]string{"serve", "--policy", good, "--stream", "get", "--echo"}, `is for clients`},
		{[]string{"serve", "--policy", good, "--stream", "later", "--echo"}, "not implemented yet"},
		{[]string{"serve", "--policy", good, "--stream", "web", "--echo", "--type", "text/plain"}, `{"mime": "content-type:"}`},
		{[]string{"serve", "--policy", bad, "--stream", "web", "--echo"}, `"server"`},
		{[]string{"fetch"}, "--policy and --stream are needed"},
		{[]string{"fetch", "--policy", good, "--stream", "web"}, `has "server": true`},
		{[]string{"fetch", "--policy", good, "--stream", "got"}, `did you mean "get"?`},
		{[]string{"fetch", "--policy", good, "--stream", "get", "-m", "x"}, "name=value"},
		{[]string{"fetch", "--policy", good, "--stream", "get", "-m", "x=1"}, "metadata name not declared"},
		{[]string{"fetch", "--policy", good, "--stream", "get", "-X", "PUT"}, "http_method"},
		{[]string{"fetch", "--policy", good, "--stream", "get", "--data", "@-"}, "unknown length"},
		{[]string{"fetch", "--policy", good, "http://x/"}, "uses the built-in policy"},
		{[]string{"fetch", "x"}, "is not a URL"},
		{[]string{"fetch", "gopher://x/"}, `unknown scheme "gopher"`},
		{[]string{"fetch", "http:///x"}, "has no host"},
		{[]string{"fetch", "http://me:secret@x/"}, "auth="},
		{[]string{"fetch", "http://x/", "-X", "BREW"}, "BREW"},
		{[]string{"fetch", "--bytes", "-1", "http://x/"}, "--bytes"},
	} {
		r := run(c.args...)
		if r.status != exitUsage || !strings.Contains(r.err, c.want) {
			t.Errorf("millrace %q: status %d, %q; want %d and %q", c.args, r.status, r.err, exitUsage, c.want)
		}
	}
}

func TestLocalErrors(t *testing.T) {
	web := write(t, "policy.json", `{"s":[{"web":{"server":true,"endpoint":"127.0.0.1","port":0}}]}`)
	dir := t.TempDir()
	run("policy", "check", filepath.Join(dir, "none")).expect(t, exitLocal, "no such file")
	run("serve", "--policy", web, "--stream", "web", "--file", filepath.Join(dir, "none")).expect(t, exitLocal, "no such file")
	run("fetch", "http://127.0.0.1:1/", "--data", "@"+filepath.Join(dir, "none")).expect(t, exitLocal, "no such file")
	run("fetch", "http://127.0.0.1:1/", "--data", "@"+dir).expect(t, exitLocal, "is a directory")
	run("fetch", "http://127.0.0.1:1/", "-o", filepath.Join(dir, "none", "out")).expect(t, exitLocal, "no such file")

	s := serve(t, "--policy", web, "--stream", "web", "--echo")
	taken := write(t, "taken.json", fmt.Sprintf(`{"s":[{"web":{"server":true,"endpoint":"127.0.0.1","port":%s}}]}`, port(s.at)))
	run("serve", "--policy", taken, "--stream", "web", "--echo").expect(t, exitLocal, "address already in use")
}

// port returns the port of host:port.
func port(at string) string { return at[strings.LastIndexByte(at, ':')+1:] }
