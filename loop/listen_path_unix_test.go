//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// racers is how many Systems start at one time.
const racers = 2

// race makes all racers listen on path at once, and returns those that succeed.
func race(t *testing.T, ks []*kernel, path string) (winners []int, fds []FD) {
	t.Helper()
	fds = make([]FD, len(ks))
	errs := make([]error, len(ks))
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i, k := range ks {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			fds[i], _, errs[i] = k.Listen(Addr{Network: Unix, Path: path}, ListenOptions{})
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			winners = append(winners, i)
		case !errors.Is(err, syscall.EADDRINUSE):
			t.Errorf("the loser: got %v, want EADDRINUSE", err)
		}
	}
	return winners, fds
}

// TestUnixListenersRace: of two Systems that start on one path at the same time exactly one listens and is reachable,
// whether the path is free or has the file of a dead server.
func TestUnixListenersRace(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	path := filepath.Join(t.TempDir(), "s")
	var ks []*kernel
	for range racers {
		ks = append(ks, newKernel(t))
	}
	for round := range rounds {
		winners, fds := race(t, ks, path)
		if len(winners) != 1 {
			t.Fatalf("round %d: %d listen, want 1", round, len(winners))
		}
		k, fd := ks[winners[0]], fds[winners[0]]
		c, e := k.Connect(Addr{Network: Unix, Path: path}, SocketOptions{})
		if e != 0 {
			t.Fatalf("round %d: connect to the listener: %v", round, e)
		}
		s, e := k.Accept(fd)
		if e != 0 {
			t.Fatalf("round %d: the listener did not get the connection: accept: %v", round, e)
		}
		k.Close(c)
		k.Close(s)
		if round%2 == 0 {
			k.Close(fd)
			continue
		}
		delete(k.files, fd) // as a crash does
		unix.Close(int(fd))
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 1 {
		t.Errorf("files in the directory: %v, want at most the socket", entries)
	}
}

// TestUnixListenersRaceProcesses does the same with processes.
func TestUnixListenersRaceProcesses(t *testing.T) {
	if path := os.Getenv("LOOP_RACE_PATH"); path != "" {
		raceHelper(path)
	}
	path := filepath.Join(t.TempDir(), "s")
	type helper struct {
		in  io.WriteCloser
		out *bufio.Reader
	}
	var hs []helper
	for range racers {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUnixListenersRaceProcesses$")
		cmd.Env = append(os.Environ(), "LOOP_RACE_PATH="+path)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		hs = append(hs, helper{in, bufio.NewReader(out)})
		t.Cleanup(func() {
			in.Close()
			cmd.Wait()
		})
	}
	for round := range 300 {
		for _, h := range hs {
			fmt.Fprintln(h.in, "listen")
		}
		var said []string
		for _, h := range hs {
			line, err := h.out.ReadString('\n')
			if err != nil {
				t.Fatalf("round %d: helper: %v", round, err)
			}
			said = append(said, strings.TrimSpace(line))
		}
		if got := strings.Join(said, " "); got != "yes no" && got != "no yes" {
			t.Fatalf("round %d: the two processes printed %q, want one yes", round, got)
		}
		how := [...]string{"close", "crash"}[round%2]
		for _, h := range hs {
			fmt.Fprintln(h.in, how)
			if _, err := h.out.ReadString('\n'); err != nil {
				t.Fatalf("round %d: helper: %v", round, err)
			}
		}
	}
}

// raceHelper executes each line of standard input and prints one line for it.
func raceHelper(path string) {
	sys, err := NewSystem()
	if err != nil {
		os.Exit(1)
	}
	k, fd := sys.(*kernel), NoFD
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer := "done"
		switch {
		case lines.Text() == "listen":
			answer = "yes"
			if fd, _, err = k.Listen(Addr{Network: Unix, Path: path}, ListenOptions{}); err != nil {
				fd, answer = NoFD, "no"
			}
		case fd == NoFD:
		case lines.Text() == "close":
			k.Close(fd)
		default:
			delete(k.files, fd)
			unix.Close(int(fd))
		}
		fmt.Println(answer)
	}
	os.Exit(0)
}

// TestUnixListenerLocks: a directory that another process has locked, or that cannot be read, does not prevent a
// listener, and two listeners still exclude each other.
func TestUnixListenerLocks(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(dir string) (undo func())
	}{
		{"directory locked by others", func(dir string) func() {
			fd, err := unix.Open(dir, unix.O_RDONLY, 0)
			if err != nil || unix.Flock(fd, unix.LOCK_EX) != nil {
				t.Fatalf("lock %s: %v", dir, err)
			}
			return func() { unix.Close(fd) }
		}},
		{"directory that cannot be read", func(dir string) func() {
			if err := os.Chmod(dir, 0o300); err != nil {
				t.Fatal(err)
			}
			return func() { os.Chmod(dir, 0o700) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			defer c.set(dir)()
			ks := []*kernel{newKernel(t), newKernel(t)}
			winners, fds := race(t, ks, filepath.Join(dir, "s"))
			if len(winners) != 1 {
				t.Fatalf("%d listen, want 1", len(winners))
			}
			k := ks[winners[0]]
			k.Close(fds[winners[0]])
			if _, err := os.Lstat(filepath.Join(dir, "s")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after Close: the file exists (%v)", err)
			}
		})
	}
}
