package main

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// findProgram looks in PATH and in Debian's directories for servers, which are not in every user's PATH.
func findProgram(name string) (string, error) {
	if exe, err := exec.LookPath(name); err == nil {
		return exe, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// programVersion returns the version of a server that prints "name/version", or "" if it is not installed.
func programVersion(name, flag string) string {
	exe, err := findProgram(name)
	if err != nil {
		return ""
	}
	out, err := exec.Command(exe, flag).CombinedOutput()
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "/")
	return version
}

// outside finds a server that is a separate program, and a port for it: the port of a listener that we opened and closed,
// since such programs cannot listen on port 0. A race for that port is unlikely: the kernel
// picks ports randomly from 28,000.
func (l *lab) outside(name string) (exe string, addr netip.AddrPort, err error) {
	exe, err = findProgram(name)
	if err != nil {
		return "", addr, absent{"not installed"}
	}
	ln, addr, err := sys.Listen()
	if err == nil {
		unix.Close(ln)
	}
	return exe, addr, err
}

// listening waits until the server accepts connections, for a server that does not report it.
func (p *process) listening() error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", p.addr.String(), answerTimeout)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.dead:
			return p.failed("listening")
		default:
		}
		if time.Since(begin) > answerTimeout {
			return fmt.Errorf("bench: %s: does not listen: %w", p.name, err)
		}
	}
}
