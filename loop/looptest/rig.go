package looptest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

const (
	patience = 10 * time.Second      // for events that must come
	moment   = 20 * time.Millisecond // for events that must not come
)

// rig is one System under test and the events received from it.
type rig struct {
	*testing.T
	sys      loop.System
	abstract bool
	gen      uint32
	events   map[loop.Token]loop.Ready // events that the scenario has not expected yet
	opened   []loop.FD
	l        *loop.Loop
	after    func() // at the end of each turn
}

func newRig(t *testing.T, sys loop.System) *rig {
	r := &rig{T: t, sys: sys, events: make(map[loop.Token]loop.Ready)}
	t.Cleanup(func() {
		for _, fd := range r.opened {
			sys.Close(fd)
		}
		if r.l != nil {
			r.l.Close()
		} else if err := sys.Shutdown(); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return r
}

// readyString prints readiness as letters: R W H B F.
func readyString(r loop.Ready) string {
	if r == 0 {
		return "none"
	}
	var b strings.Builder
	for i, c := range "RWHBF" {
		if r&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func errnoString(e syscall.Errno) string {
	if e == 0 {
		return "success"
	}
	return fmt.Sprintf("%v (%d)", e, int(e))
}

// opens records a descriptor for the cleanup.
func (r *rig) opens(fd loop.FD) loop.FD {
	r.opened = append(r.opened, fd)
	return fd
}

func (r *rig) close(fd loop.FD) {
	r.forget(fd)
	r.sys.Close(fd)
}

func (r *rig) abort(fd loop.FD) {
	r.forget(fd)
	r.sys.Abort(fd)
}

func (r *rig) forget(fd loop.FD) {
	r.opened = slices.DeleteFunc(r.opened, func(o loop.FD) bool { return o == fd })
}

// add registers fd under a new generation.
func (r *rig) add(fd loop.FD) loop.Token {
	r.Helper()
	r.gen++
	tok := loop.MakeToken(fd, r.gen)
	if err := r.sys.Add(fd, tok); err != nil {
		r.Fatalf("Add fd %d: %v", fd, err)
	}
	return tok
}

func (r *rig) collect(timeout time.Duration) {
	r.Helper()
	var ev [16]loop.Event
	n, err := r.sys.Wait(ev[:], timeout)
	if err != nil {
		r.Fatalf("Wait: %v", err)
	}
	for _, e := range ev[:n] {
		r.events[e.Token] |= e.Ready
	}
}

// expect waits until all readiness of want has been reported for tok, and clears its events.
func (r *rig) expect(tok loop.Token, want loop.Ready) {
	r.Helper()
	for end := r.sys.Now() + patience; r.events[tok]&want != want; {
		if r.sys.Now() >= end {
			r.Fatalf("fd %d: got readiness %s, want %s", tok.FD(), readyString(r.events[tok]), readyString(want))
		}
		r.collect(time.Second)
	}
	r.events[tok] = 0
}

// expectNothing waits a moment and fails if any readiness of unwanted is reported for tok.
func (r *rig) expectNothing(tok loop.Token, unwanted loop.Ready) {
	r.Helper()
	for end := r.sys.Now() + moment; r.sys.Now() < end; {
		r.collect(moment)
		if got := r.events[tok] & unwanted; got != 0 {
			r.Fatalf("fd %d: got readiness %s without a new event", tok.FD(), readyString(got))
		}
	}
	r.events[tok] = 0
}

var loopback = loop.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}

func (r *rig) listen(a loop.Addr) (loop.FD, loop.Addr) {
	r.Helper()
	fd, got, err := r.sys.Listen(a, loop.ListenOptions{})
	if err != nil {
		r.Fatalf("Listen on %s: %v", a, err)
	}
	return r.opens(fd), got
}

// connect starts a connection and fails if it is refused immediately.
func (r *rig) connect(a loop.Addr) loop.FD {
	r.Helper()
	fd, e := r.sys.Connect(a, loop.SocketOptions{})
	if e != 0 && e != syscall.EINPROGRESS {
		r.Fatalf("Connect to %s: got %s, want success or EINPROGRESS", a, errnoString(e))
	}
	return r.opens(fd)
}

// ends are the two ends of a connection, both registered and connected, with their first Writable received.
type ends struct{ client, server loop.Token }

func (r *rig) pair() ends {
	r.Helper()
	return r.pairOn(loopback)
}

func (r *rig) pairOn(a loop.Addr) ends {
	r.Helper()
	l, at := r.listen(a)
	lt := r.add(l)
	c := r.connect(at)
	ct := r.add(c)
	r.expect(ct, loop.Writable)
	if e := r.sys.SocketError(c); e != 0 {
		r.Fatalf("connect to %s: got %s, want success", at, errnoString(e))
	}
	r.expect(lt, loop.Readable)
	s, e := r.sys.Accept(l)
	if e != 0 {
		r.Fatalf("Accept: got %s, want success", errnoString(e))
	}
	st := r.add(r.opens(s))
	r.expect(st, loop.Writable)
	r.sys.Remove(l)
	r.close(l)
	return ends{ct, st}
}

// write writes all of s and fails on a partial write.
func (r *rig) write(to loop.Token, s string) {
	r.Helper()
	if n, e := r.sys.Write(to.FD(), []byte(s)); e != 0 || n != len(s) {
		r.Fatalf("Write %q to fd %d: got %d, %s, want %d, success", s, to.FD(), n, errnoString(e), len(s))
	}
}

// writev writes several slices with one call.
func (r *rig) writev(to loop.Token, s ...string) {
	r.Helper()
	var v [][]byte
	size := 0
	for _, p := range s {
		v = append(v, []byte(p))
		size += len(p)
	}
	if n, e := r.sys.Writev(to.FD(), v); e != 0 || n != size {
		r.Fatalf("Writev %q to fd %d: got %d, %s, want %d, success", s, to.FD(), n, errnoString(e), size)
	}
}

// read reads exactly want, waiting as often as necessary.
func (r *rig) read(from loop.Token, want string) {
	r.Helper()
	var got []byte
	b := make([]byte, len(want))
	for len(got) < len(want) {
		n, e := r.sys.Read(from.FD(), b[:len(want)-len(got)])
		switch {
		case e == syscall.EAGAIN:
			r.expect(from, loop.Readable)
		case e != 0 || n == 0:
			r.Fatalf("Read from fd %d: got %q and then %d, %s, want %q", from.FD(), got, n, errnoString(e), want)
		default:
			got = append(got, b[:n]...)
		}
	}
	if !bytes.Equal(got, []byte(want)) {
		r.Fatalf("Read from fd %d: got %q, want %q", from.FD(), got, want)
	}
}

// readErr reads once and expects the error want.
func (r *rig) readErr(from loop.Token, want syscall.Errno) {
	r.Helper()
	var b [16]byte
	n, e := r.sys.Read(from.FD(), b[:])
	if n != 0 || e != want {
		r.Fatalf("Read from fd %d: got %d (%q), %s, want 0, %s", from.FD(), n, b[:n], errnoString(e), errnoString(want))
	}
}
