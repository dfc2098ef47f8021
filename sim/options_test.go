package sim

import (
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

// Partial reads and writes have any size from one byte, and the rest is reported again.
func TestPartial(t *testing.T) {
	sizes := func(o Options) (reads, writes map[int]bool) {
		p := join(t, 5, o)
		add(t, p.b, p.s)
		reads, writes = map[int]bool{}, map[int]bool{}
		buf := make([]byte, 20)
		for range 200 {
			k, e := p.a.Write(p.c, make([]byte, 10))
			if e != 0 {
				t.Fatal(e)
			}
			writes[k] = true
			for left := k; left > 0; {
				if r := ready(t, p.b)[p.s]; r&loop.Readable == 0 {
					t.Fatalf("%d bytes left after a short read: got readiness %b, want Readable", left, r)
				}
				k, e := p.b.Read(p.s, buf)
				if e != 0 {
					t.Fatal(e)
				}
				reads[k] = true
				left -= k
			}
		}
		return reads, writes
	}
	for _, c := range []struct {
		name          string
		o             Options
		reads, writes int // different sizes seen
	}{
		{"none", Options{}, 1, 1},
		{"short reads", Options{ShortRead: 0.5}, 10, 1},
		{"short writes", Options{ShortWrite: 0.5}, 10, 10},
		{"at most one byte read", Options{ReadMax: 1}, 1, 1},
		{"at most three written", Options{WriteMax: 3}, 1, 1},
	} {
		r, w := sizes(c.o)
		if len(r) != c.reads || len(w) != c.writes {
			t.Errorf("%s: got read sizes %v, write sizes %v, want %d and %d different ones", c.name, r, w, c.reads, c.writes)
		}
		if m := c.o.WriteMax; m > 0 && !w[m] || c.o.ReadMax > 0 && !r[1] {
			t.Errorf("%s: got read sizes %v, write sizes %v", c.name, r, w)
		}
	}
}

// Jitter varies the time between two deliveries, and never reverses them.
func TestJitter(t *testing.T) {
	p := join(t, 1, Options{Link: Link{Latency: time.Millisecond, Jitter: 10 * time.Millisecond}})
	add(t, p.b, p.s)
	ready(t, p.b)
	seen := map[time.Duration]bool{}
	for i := range 50 {
		start := p.n.Now()
		write(t, p.a, p.c, string(rune('a'+i%26)))
		var ev [1]loop.Event
		p.b.Wait(ev[:], loop.Forever)
		took := p.n.Now() - start
		if took < time.Millisecond || took > 11*time.Millisecond {
			t.Fatalf("delivery: got %v, want between 1 and 11 ms", took)
		}
		seen[took] = true
		read(t, p.b, p.s, string(rune('a'+i%26)), 0)
	}
	if len(seen) < 10 {
		t.Errorf("deliveries: got %d different times, want more", len(seen))
	}
	for i := range 26 {
		write(t, p.a, p.c, string(rune('a'+i)))
	}
	p.n.Advance(time.Second)
	read(t, p.b, p.s, "abcdefghijklmnopqrstuvwxyz", 0)
}

// Faults hit connections with their probability, on both ends.
func TestConnectionFaults(t *testing.T) {
	const count = 400
	for _, c := range []struct {
		name string
		l    Link
		want syscall.Errno
	}{
		{"reset", Link{Reset: 0.5}, syscall.ECONNRESET},
		{"silent death", Link{Die: 0.5}, syscall.ETIMEDOUT},
	} {
		n := New(7, Options{Link: c.l})
		a, b := n.Host("a", ipA), n.Host("b", ipB)
		l, _, _ := b.Listen(at(ipB, 80), loop.ListenOptions{})
		var fds [count]loop.FD
		for i := range fds {
			fds[i], _ = a.Connect(at(ipB, 80), loop.SocketOptions{})
			b.Accept(l)
		}
		n.Advance(2 * time.Second)
		hit := 0
		var buf [1]byte
		for _, fd := range fds {
			a.Write(fd, buf[:])
		}
		n.Advance(time.Hour)
		for _, fd := range fds {
			switch e := a.SocketError(fd); e {
			case c.want:
				hit++
			case 0:
			default:
				// A write after the reset has returned the error already.
				t.Errorf("%s: got %v, want %v or none", c.name, e, c.want)
			}
			if c.want == syscall.ECONNRESET {
				if _, e := a.Write(fd, buf[:]); e == syscall.EPIPE {
					hit++
				}
			}
		}
		if hit < count*4/10 || hit > count*6/10 {
			t.Errorf("%s: got %d of %d connections, want about half", c.name, hit, count)
		}
	}
}

func TestSpuriousWake(t *testing.T) {
	h := New(1, Options{SpuriousWake: 0.5}).Host("h")
	var ev [1]loop.Event
	early := 0
	for range 100 {
		start := h.Now()
		k, err := h.Wait(ev[:], time.Second)
		if k != 0 || err != nil {
			t.Fatalf("wait: got %d, %v, want nothing", k, err)
		}
		if h.Now()-start < time.Second {
			early++
		}
	}
	if early < 30 || early > 70 {
		t.Errorf("early returns: got %d of 100, want about half", early)
	}
}

func TestSpuriousReady(t *testing.T) {
	p := join(t, 1, Options{SpuriousReady: 1})
	add(t, p.b, p.s)
	got := 0
	for range 100 {
		if r := ready(t, p.b)[p.s]; r&loop.Readable != 0 {
			read(t, p.b, p.s, "", syscall.EAGAIN)
			got++
		}
	}
	if got == 0 {
		t.Error("spurious edges: got none in 100 polls")
	}
}

func TestLateReady(t *testing.T) {
	p := join(t, 1, Options{LateReady: 1, LateReadyMax: 10 * time.Millisecond})
	add(t, p.b, p.s)
	ready(t, p.b)
	write(t, p.a, p.c, "x")
	if r := ready(t, p.b); len(r) != 0 {
		t.Errorf("at once: got %v, want nothing yet", r)
	}
	p.n.Advance(10 * time.Millisecond)
	if r := ready(t, p.b)[p.s]; r&loop.Readable == 0 {
		t.Errorf("10 ms later: got %b, want Readable", r)
	}
}

func TestShuffleReady(t *testing.T) {
	p := hosts(t, 1, Options{ShuffleReady: true})
	for range 16 {
		fd, _ := p.a.Connect(at(ipB, 80), loop.SocketOptions{})
		add(t, p.a, fd)
	}
	var ev [16]loop.Event
	k, _ := p.a.Wait(ev[:], 0)
	sorted := true
	for i := 1; i < k; i++ {
		sorted = sorted && ev[i].Token.FD() > ev[i-1].Token.FD()
	}
	if k != 16 || sorted {
		t.Errorf("events: got %d, in order: %v, want 16 shuffled", k, sorted)
	}
}

// The calendar jumps, monotonic time does not. A suspended process finds that time has passed.
func TestClocks(t *testing.T) {
	h := New(1, Options{}).Host("h")
	wall, now := h.Wall(), h.Now()
	h.JumpWall(-48 * time.Hour)
	if got := h.Wall().Sub(wall); got != -48*time.Hour || h.Now() != now {
		t.Errorf("after a jump: got wall %v, monotonic %v, want -48h and nothing", got, h.Now()-now)
	}
	var ev [1]loop.Event
	h.Suspend(time.Hour)
	h.Wait(ev[:], time.Second)
	if got := h.Now() - now; got != time.Hour+time.Second {
		t.Errorf("suspended for an hour, then waiting a second: got %v", got)
	}
	for _, o := range []Options{{WallJump: 1}, {Pause: 1}} {
		h := New(1, o).Host("h")
		wall, now := h.Wall(), h.Now()
		for range 10 {
			h.Wait(ev[:], 0)
		}
		wallWent, nowWent := h.Wall().Sub(wall), h.Now()-now
		if (wallWent != nowWent) != (o.WallJump > 0) || (nowWent > 0) != (o.Pause > 0) {
			t.Errorf("options %+v: got wall %v, monotonic %v", o, wallWent, nowWent)
		}
	}
}

func TestCallCost(t *testing.T) {
	h := New(1, Options{CallCost: time.Microsecond}).Host("h")
	start := h.Now()
	var p [8]byte
	for range 10 {
		h.Rand(p[:])
	}
	if got := h.Now() - start; got != 10*time.Microsecond {
		t.Errorf("ten calls: got %v, want 10 us", got)
	}
}
