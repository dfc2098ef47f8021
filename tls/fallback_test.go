package tls

import (
	stdtls "crypto/tls"
	"errors"
	"io"
	"testing"
	"time"
)

func TestSilentServersGetASmallerHello(t *testing.T) {
	sh := newShared(t, nil)
	c := newClient(t, sh, nil)
	hello := func(how func(r *rig), want error) int {
		t.Helper()
		r := client(t, c, &stdtls.Config{})
		n := len(r.low.Out)
		r.low.Out = r.low.Out[:0]
		how(r)
		if !errors.Is(r.p.cause, ErrSilent) || !errors.Is(r.p.cause, want) {
			t.Errorf("closed with %v, want %v for %v", r.p.cause, ErrSilent, want)
		}
		return n
	}
	large := hello(func(r *rig) { r.low.Sleep(time.Minute) }, ErrTimeout)
	small := hello(func(r *rig) { r.low.End() }, ErrTruncated)
	if large < 1400 || small > 700 {
		t.Errorf("hellos: got %d bytes, and after no answer %d; want one with ML-KEM and one without", large, small)
	}
	if again := hello(func(r *rig) { r.low.Break(io.ErrUnexpectedEOF) }, io.ErrUnexpectedEOF); again < 1400 {
		t.Errorf("hello after the small one was not answered: got %d bytes, want the large one", again)
	}
	// The Client remembers the hello that was answered.
	for range 2 {
		r := client(t, c, &stdtls.Config{})
		r.handshake()
		if g := r.s.State().Group; g != stdtls.X25519 {
			t.Errorf("group: got %s, want X25519", GroupName(g))
		}
		r.echo(10)
		r.end()
	}
}

func TestNamedGroupsAreKept(t *testing.T) {
	sh := newShared(t, nil)
	c := newClient(t, sh, func(c *ClientConfig) { c.Groups = []stdtls.CurveID{stdtls.X25519MLKEM768} })
	for range 2 {
		r := client(t, c, &stdtls.Config{})
		if n := len(r.low.Out); n < 1400 {
			t.Errorf("hello: got %d bytes, want one with ML-KEM", n)
		}
		r.low.Sleep(time.Minute)
		if !errors.Is(r.p.cause, ErrSilent) {
			t.Errorf("closed with %v, want %v", r.p.cause, ErrSilent)
		}
	}
}

func TestNames(t *testing.T) {
	for _, g := range groups {
		if id, err := ParseGroup(GroupName(g.id)); err != nil || id != g.id {
			t.Errorf("%s: got %v, %v", g.name, id, err)
		}
	}
	for name, want := range map[string]uint16{"": 0, "1.2": 0x303, "1.3": 0x304} {
		if v, err := ParseVersion(name); v != want || err != nil {
			t.Errorf("version %q: got %x, %v; want %x", name, v, err, want)
		}
	}
	for _, name := range []string{"1.1", "tls", "1.3 "} {
		if _, err := ParseVersion(name); err == nil {
			t.Errorf("version %q was taken", name)
		}
	}
	if _, err := ParseGroup("P-1"); err == nil {
		t.Error("group P-1 was taken")
	}
	if got := GroupName(9999); got != "group 9999" {
		t.Errorf("an unknown group is called %q", got)
	}
}
