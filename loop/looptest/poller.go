package looptest

import (
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

var pollerScenarios = []scenario{
	{name: "readable once, and again after EAGAIN", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "one")
		r.expect(p.server, loop.Readable)
		r.expectNothing(p.server, loop.Readable)
		r.read(p.server, "one")
		r.readErr(p.server, syscall.EAGAIN)
		r.write(p.client, "two")
		r.expect(p.server, loop.Readable)
		r.read(p.server, "two")
	}},
	{name: "readable again after a short read", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "one")
		r.expect(p.server, loop.Readable)
		var b [64]byte
		if n, e := r.sys.Read(p.server.FD(), b[:]); n != 3 || e != 0 {
			r.Fatalf("Read: got %d, %s, want 3, success", n, errnoString(e))
		}
		r.expectNothing(p.server, loop.Readable)
		r.write(p.client, "two")
		r.expect(p.server, loop.Readable)
	}},
	{name: "the first events report the present state", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "here already")
		r.expect(p.server, loop.Readable)
		r.sys.Remove(p.server.FD())
		r.expect(r.add(p.server.FD()), loop.Readable|loop.Writable)
	}},
	{name: "one registration serves both directions", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "ping")
		r.write(p.server, "pong")
		r.expect(p.client, loop.Readable)
		r.expect(p.server, loop.Readable)
		r.read(p.client, "pong")
		r.read(p.server, "ping")
	}},
	{name: "no events after Remove", run: func(r *rig) {
		p := r.pair()
		r.sys.Remove(p.server.FD())
		r.write(p.client, "unheard")
		r.expectNothing(p.server, loop.Readable)
	}},
	{name: "a reused descriptor number has the new generation", run: func(r *rig) {
		p := r.pair()
		_, at := r.listen(loopback)
		old := p.server
		r.write(p.client, "for the old registration")
		r.sys.Remove(old.FD())
		r.close(old.FD())
		fd := r.connect(at)
		if fd != old.FD() {
			r.Fatalf("Connect: got fd %d, want %d, the lowest free", fd, old.FD())
		}
		r.expect(r.add(fd), loop.Writable)
		r.expectNothing(old, ^loop.Ready(0))
	}},
	{name: "more events than room", run: func(r *rig) {
		l, at := r.listen(loopback)
		lt := r.add(l)
		waiting := make(map[loop.Token]bool)
		for range 5 {
			waiting[r.add(r.connect(at))] = true
		}
		r.expect(lt, loop.Readable)
		for tok := range r.events {
			delete(waiting, tok)
		}
		var ev [1]loop.Event
		for end := r.sys.Now() + patience; len(waiting) > 0; {
			n, err := r.sys.Wait(ev[:], time.Second)
			if err != nil || r.sys.Now() >= end {
				r.Fatalf("Wait with room for one event: %v; %d descriptors were never reported writable", err, len(waiting))
			}
			if n == 1 && ev[0].Ready&loop.Writable != 0 {
				delete(waiting, ev[0].Token)
			}
		}
	}},
	{name: "Wait with timeout 0 does not wait", run: func(r *rig) {
		start := r.sys.Now()
		for range 10 {
			r.collect(0)
		}
		if took := r.sys.Now() - start; took > time.Second {
			r.Fatalf("ten polls without an event took %v", took)
		}
	}},
	{name: "timeouts are rounded up", run: func(r *rig) {
		for _, d := range []time.Duration{1, 999, time.Microsecond, 999_999, time.Millisecond, 1_000_001, 2_500_000} {
			start := r.sys.Now()
			waits := 0
			// A signal may end a wait early, once. If a wait is rounded down, it ends early a thousand times.
			for r.sys.Now()-start < d {
				r.collect(d - (r.sys.Now() - start))
				waits++
			}
			if waits > 5 {
				r.Errorf("Wait(%v): got %d waits, want 1 (5 with signals)", d, waits)
			}
		}
	}},
	{name: "Wake before Wait makes it return", run: func(r *rig) {
		r.sys.Wake()
		r.sys.Wake()
		start := r.sys.Now()
		r.collect(patience)
		if took := r.sys.Now() - start; took >= patience {
			r.Fatalf("Wait after Wake took %v", took)
		}
		start = r.sys.Now()
		for r.sys.Now()-start < time.Millisecond {
			r.collect(time.Millisecond) // the wake-up is used up, so this one waits
		}
	}},
	{name: "Wake from another goroutine", threads: true, run: func(r *rig) {
		for i := range 100 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				r.sys.Wake()
			}()
			start := r.sys.Now()
			r.collect(patience)
			if took := r.sys.Now() - start; took >= patience {
				r.Fatalf("round %d: Wait took %v", i, took)
			}
			<-done
		}
	}},
	{name: "the clock", run: func(r *rig) {
		last := r.sys.Now()
		if last <= 0 {
			r.Errorf("Now: got %v, want more than 0", last)
		}
		for range 100 {
			now := r.sys.Now()
			if now < last {
				r.Fatalf("Now went back from %v to %v", last, now)
			}
			last = now
		}
		if r.sys.Wall().IsZero() {
			r.Error("Wall: got the zero time")
		}
	}},
	{name: "random bytes", run: func(r *rig) {
		var a, b, zero [32]byte
		r.sys.Rand(a[:])
		r.sys.Rand(b[:])
		if a == b || a == zero || b == zero {
			r.Errorf("Rand: got %x and then %x", a, b)
		}
	}},
}
