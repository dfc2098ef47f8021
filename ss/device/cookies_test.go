package device_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/http/cookie"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss/device"
)

// memoryStore is a CookieStore in memory.
type memoryStore struct {
	text         string
	loads, saves int
	err          error // of Load
}

func (m *memoryStore) Load(loop.Files) ([]byte, error)   { m.loads++; return []byte(m.text), m.err }
func (m *memoryStore) Save(_ loop.Files, b []byte) error { m.saves++; m.text = string(b); return nil }

// waiter counts its calls.
type waiter struct{ calls int }

func (w *waiter) CookiesLoaded() { w.calls++ }

// jarOn returns a jar on a loop of a simulated host, and a function that lets time pass.
func jarOn(t *testing.T, c device.Cookies) (*device.CookieJar, *loop.Loop, func(time.Duration)) {
	runtime.LockOSThread()
	n := sim.New(1, sim.Options{OffloadMax: 10 * time.Millisecond})
	l := loop.New(n.Host("device", netip.MustParseAddr("10.0.0.1")), loop.Config{})
	pass := func(d time.Duration) {
		t.Helper()
		over := false
		n.At(d, func() { over = true })
		if err := n.Run(func() bool { return over }, time.Hour, l); err != nil {
			t.Fatal(err)
		}
	}
	var j *device.CookieJar
	j = device.NewCookieJar(c, l, slog.New(slog.DiscardHandler), func() { j.Wake() })
	return j, l, pass
}

var origin = cookie.Origin{Host: "host.example", Path: []byte("/")}

// TestCookieJarLoads: the store is read once, when something first waits for it, and wakes all that still wait.
func TestCookieJarLoads(t *testing.T) {
	for _, broken := range []error{nil, errors.New("no disk")} {
		m := &memoryStore{text: "host.example\tFALSE\t/\tFALSE\t32000000000\told\t1\n", err: broken}
		j, l, pass := jarOn(t, device.Cookies{Store: m})
		var a, b, c waiter
		if pass(time.Second); m.loads != 0 {
			t.Errorf("store read %d times before the first Await, want 0", m.loads)
		}
		for _, w := range []*waiter{&a, &b, &c} {
			if !j.Await(w) {
				t.Fatal("Await before the store was read: got false, want true")
			}
		}
		j.Forget(&b)
		pass(time.Second)
		if m.loads != 1 || a.calls != 1 || b.calls != 0 || c.calls != 1 {
			t.Errorf("store read %d times; calls %d, %d, %d; want one read, and calls 1, 0, 1", m.loads, a.calls, b.calls, c.calls)
		}
		if j.Await(&a) {
			t.Error("Await after the store was read: got true, want false")
		}
		got, want := string(j.Append(nil, origin, l.System().Wall())), "old=1"
		if broken != nil {
			want = ""
		}
		if got != want {
			t.Errorf("cookies after a read that returned %v: got %q, want %q", broken, got, want)
		}
		if used, size := l.Account().Used(), int64(j.Size()); used != size {
			t.Errorf("account: got %d bytes, want the jar's %d", used, size)
		}
		if j.Close(); l.Account().Used() != 0 || !j.Kept() {
			t.Errorf("after Close: %d bytes on the account, kept %v; want 0, true", l.Account().Used(), j.Kept())
		}
	}
}

// TestCookieJarKeeps: changes are written at once, but not more often than Every until Flush or Close.
func TestCookieJarKeeps(t *testing.T) {
	m := &memoryStore{}
	j, l, pass := jarOn(t, device.Cookies{Store: m, Every: 10 * time.Second})
	if j.Await(new(waiter)) {
		pass(time.Second)
	}
	set := func(v string) {
		t.Helper()
		if err := j.Set(origin, []byte(v+"; Max-Age=600"), l.System().Wall()); err != nil {
			t.Fatal(err)
		}
		j.Charge()
		j.Keep()
		pass(time.Second)
	}
	want := func(when string, saves int, text string, kept bool) {
		t.Helper()
		if m.saves != saves || !strings.Contains(m.text, text) || j.Kept() != kept {
			t.Errorf("%s: %d writes, text %q, kept %v; want %d writes, %q in it, kept %v", when, m.saves, m.text, j.Kept(), saves, text, kept)
		}
	}
	want("before a change", 0, "", true)
	set("n=1")
	want("after the first change", 1, "\tn\t1\n", true)
	set("n=2")
	want("after a second change within Every", 1, "\tn\t1\n", false)
	pass(10 * time.Second)
	want("after Every", 2, "\tn\t2\n", true)
	set("n=3")
	want("after a third change within Every", 2, "\tn\t2\n", false)
	j.Flush()
	pass(time.Second)
	want("after Flush", 3, "\tn\t3\n", true)
	set("n=4")
	want("after a change that follows Flush", 4, "\tn\t4\n", true)
	j.Close()
	pass(time.Second)
	want("after Close", 4, "\tn\t4\n", true)
	if l.Account().Used() != 0 || l.Stats().Timers != 0 {
		t.Errorf("after Close: %d bytes on the account, %d timers; want none", l.Account().Used(), l.Stats().Timers)
	}
}
