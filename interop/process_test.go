package interop

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// millrace is the binary under test.
var millrace string

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
	case hostileChild:
		os.Exit(hostileMain())
	default:
		os.Exit(child())
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "millrace-interop-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		millrace = filepath.Join(dir, "millrace")
		if out, err := exec.Command("go", "build", "-C", "..", "-o", millrace, "./cmd/millrace").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build ./cmd/millrace: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds every wait: far longer than needed, for a machine that runs other work too.
const patience = 30 * time.Second

// need returns the path of a program. If it is missing, need skips the test, or fails it in CI.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
			if p, e := exec.LookPath(filepath.Join(dir, program)); e == nil {
				return p
			}
		}
		msg := fmt.Sprintf("%s is not installed: apt-get install %s", program, pkg)
		if os.Getenv("CI") == "true" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	return path
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a program that runs while its test runs.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	err     output
	over    chan struct{}
	status  error
	stopped sync.Once
}

// start starts a program, which stops at the end of the test. stdin and stdout may be nil.
func start(t *testing.T, stdin io.Reader, stdout io.Writer, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), over: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	go func() {
		p.status = p.cmd.Wait()
		close(p.over)
	}()
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	return p
}

// stop ends the process with a signal, and with SIGKILL if it does not exit.
func (p *process) stop(s os.Signal) {
	p.t.Helper()
	p.stopped.Do(func() {
		p.cmd.Process.Signal(s)
		select {
		case <-p.over:
		case <-time.After(patience):
			p.cmd.Process.Kill()
			<-p.over
			p.t.Errorf("%s did not end within %v of %v\n%s", p.cmd.Path, patience, s, &p.err)
		}
	})
}

// wait waits until the process exits by itself, and returns its exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.over:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.over
		p.t.Fatalf("%s %q did not end within %v\n%s", p.cmd.Path, p.cmd.Args[1:], patience, &p.err)
		return -1
	}
}

// ran is the result of a process that has exited.
type ran struct {
	status   int
	out, err string
}

// finish runs a program until it exits.
func finish(t *testing.T, stdin io.Reader, path string, args ...string) ran {
	t.Helper()
	var out output
	p := start(t, stdin, &out, path, args...)
	status := p.wait()
	return ran{status, out.String(), p.err.String()}
}

// serve starts `millrace serve` with a policy, and returns its listen address.
func serve(t *testing.T, policy, stream string, args ...string) (*process, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, w, millrace, append([]string{"serve", "--policy", file(t, "policy.json", policy), "--stream", stream}, args...)...)
	w.Close()
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("millrace serve printed no address: %v\n%s", err, &p.err)
	}
	line = strings.TrimSpace(line)
	return p, line[strings.LastIndexByte(line, ' ')+1:]
}

// servers is a policy with a server of each type.
const servers = `{"s":[
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"tcp": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}}]}`

// file creates a file and returns its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// poll waits until ok returns true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// freePort returns a port without a listener, for programs that cannot report the port that they chose.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// listening waits until a connection to the port succeeds, and fails the test if p exits first.
func listening(t *testing.T, p *process, port string) {
	t.Helper()
	poll(t, p.cmd.Path+" to listen on "+port, func() bool {
		select {
		case <-p.over:
			t.Fatalf("%s exited at once: %v\n%s", p.cmd.Path, p.status, &p.err)
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return !errors.Is(err, syscall.ECONNREFUSED)
	})
}

// pattern returns n bytes in which every shift or cut is visible.
func pattern(n int, seed uint32) string {
	b := make([]byte, n)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return string(b)
}

// same fails the test unless got equals want, and reports where they differ.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	t.Errorf("%s: %d bytes, want %d; they differ from byte %d on: got %.60q, want %.60q", what, len(got), len(want), at, got[at:], want[at:])
}
