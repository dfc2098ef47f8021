package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// lab starts processes on their cores and stops all of them.
type lab struct {
	options
	clientCore, serverCore int
	log                    io.Writer // progress, one line per step

	mu      sync.Mutex
	running []*process
	stopped bool // no process may start any more

	stopOnce sync.Once

	creds   *credentials // nil before the first server with TLS
	discard func()       // removes them; nil without creds
}

// process is one server, or idle clients, under the lab's control.
type process struct {
	name  string
	cmd   *exec.Cmd
	addr  netip.AddrPort // of a server, after it has started
	size  int            // of its response to one request, in suites that use HTTP
	tls   bool           // clients use TLS
	ws    bool           // clients use WebSocket
	lines chan string    // its standard output; closed at its end
	errs  tail           // the end of its standard error
	dead  chan struct{}  // closed when Wait has returned
	clean func()         // removes its files; may be nil
	obeys bool           // it is this binary, and so supports free and stats
}

// Timeouts for a child: for an answer to a signal, and for its exit before it is killed.
const (
	answerTimeout = 20 * time.Second
	stopTimeout   = 3 * time.Second
)

// spawn starts cmd on a core. The child inherits the core from this thread, so that every thread it
// ever has runs there. spawn calls clean when the process has been stopped; it may be nil.
func (l *lab) spawn(name string, core int, cmd *exec.Cmd, clean func()) (*process, error) {
	p := &process{name: name, cmd: cmd, lines: make(chan string, 16), dead: make(chan struct{}), clean: clean}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", name, err)
	}
	cmd.Stderr = &p.errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil, fmt.Errorf("bench: start %s: the run stops", name)
	}
	if err := procfs.PinThread(core); err != nil {
		return nil, err
	}
	err = cmd.Start()
	if back := procfs.PinThread(l.clientCore); err == nil {
		err = back
	}
	if err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", name, err)
	}
	l.running = append(l.running, p)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			p.lines <- sc.Text()
		}
		close(p.lines)
		_ = cmd.Wait() // the reason of a failure is on the child's standard error
		close(p.dead)
	}()
	return p, nil
}

// self starts this binary again with other arguments.
func (l *lab) self(name string, core int, args ...string) (*process, error) {
	return l.build("", name, core, args...)
}

// build starts a build of this program with other arguments; exe "" is this binary.
func (l *lab) build(exe, name string, core int, args ...string) (*process, error) {
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("bench: start %s: %w", name, err)
		}
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = goSettings(os.Environ())
	p, err := l.spawn(name, core, cmd, nil)
	if err == nil {
		p.obeys = true
	}
	return p, err
}

// goSettings gives every Go child the same runtime: one processor, and the collector's defaults, independent of
// the caller's environment.
func goSettings(env []string) []string {
	var out []string
	for _, kv := range env {
		switch key, _, _ := strings.Cut(kv, "="); key {
		case "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "GOMAXPROCS=1", "GOGC=100", "GOMEMLIMIT=off")
}

// line waits for the child's next line, which must start with want, and returns the rest of it.
func (p *process) line(want string, patience time.Duration) (string, error) {
	select {
	case s, ok := <-p.lines:
		if !ok {
			<-p.dead
			return "", p.failed(want)
		}
		rest, ok := strings.CutPrefix(s, want+" ")
		if !ok {
			return "", fmt.Errorf("bench: %s: got line %q, want one that starts with %q", p.name, s, want)
		}
		return rest, nil
	case <-time.After(patience):
		return "", fmt.Errorf("bench: %s: printed no %q within %v", p.name, want, patience)
	}
}

// failed explains a child's exit, with its standard error.
func (p *process) failed(want string) error {
	said := p.errs.String()
	if p.cmd.ProcessState != nil && p.cmd.ProcessState.ExitCode() == exitAbsent {
		return absent{strings.TrimSpace(said)}
	}
	return fmt.Errorf("bench: %s: exited (%v) before it printed %q: %s", p.name, p.cmd.ProcessState, want, said)
}

// absent is the reason why a server cannot take part. The run continues without it.
type absent struct{ why string }

func (a absent) Error() string { return a.why }

// exitAbsent is the exit status of a peer that is not part of this build.
const exitAbsent = 3

// cpu returns the processor time of the process so far.
func (p *process) cpu() (time.Duration, error) { return procfs.CPU(p.cmd.Process.Pid) }

// memory returns its resident memory.
func (p *process) memory() (procfs.Memory, error) { return procfs.ReadMemory(p.cmd.Process.Pid) }

// free makes a Go child collect its garbage and return free memory to the kernel.
func (p *process) free() error {
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return fmt.Errorf("bench: %s: signal to free memory: %w", p.name, err)
	}
	_, err := p.line("freed", answerTimeout)
	return err
}

// stats are a Go child's own counts.
type stats struct {
	Goroutines int               `json:"goroutines"`
	Calls      map[string]uint64 `json:"calls,omitempty"`
}

// stats requests a Go child's counts.
func (p *process) stats() (s stats, err error) {
	if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		return s, fmt.Errorf("bench: %s: signal for counts: %w", p.name, err)
	}
	line, err := p.line("stats", answerTimeout)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		return s, fmt.Errorf("bench: %s: parse counts %q: %w", p.name, line, err)
	}
	return s, nil
}

// stop ends one process by its id: first SIGTERM, then SIGKILL.
func (l *lab) stop(p *process) {
	if p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.dead:
		case <-time.After(stopTimeout):
			_ = p.cmd.Process.Kill()
			<-p.dead
		}
	}
	if p.clean != nil {
		p.clean()
	}
}

// stopAll ends every started process, and refuses to start more. It returns when all have exited, at the end of a
// run and after an interruption.
func (l *lab) stopAll() {
	l.stopOnce.Do(func() {
		l.mu.Lock()
		all := l.running
		l.stopped = true
		l.mu.Unlock()
		var wg sync.WaitGroup
		for _, p := range all {
			wg.Go(func() { l.stop(p) })
		}
		wg.Wait()
		if l.discard != nil {
			l.discard()
		}
	})
}

// say logs a step of the run.
func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.log, format+"\n", args...) }

// tail keeps the last bytes written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(b)
	t.b.Next(max(t.b.Len()-tailSize, 0))
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// isAbsent reports whether err is an absent error.
func isAbsent(err error) (absent, bool) {
	var a absent
	ok := errors.As(err, &a)
	return a, ok
}
