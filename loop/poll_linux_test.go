package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMilliseconds(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want int
	}{
		{Forever, -1}, {0, 0}, {1, 1}, {ms(1) - 1, 1}, {ms(1), 1}, {ms(1) + 1, 2},
		{1<<63 - 1, 1<<31 - 1}, {ms(1<<31 - 1), 1<<31 - 1},
	} {
		if got := milliseconds(c.d); got != c.want {
			t.Errorf("milliseconds(%d ns): got %d, want %d", int64(c.d), got, c.want)
		}
	}
}

// Both ways of waiting must not come back early.
func TestBlockRoundsUp(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		k := newKernel(t)
		k.coarse = coarse
		var ev [1]Event
		for _, d := range []time.Duration{1, 1000, 999_999, ms(1), ms(2) + 1} {
			waits := 0
			for start := k.Now(); k.Now()-start < d; waits++ {
				if n, err := k.Wait(ev[:], max(0, d-(k.Now()-start))); n != 0 || err != nil {
					t.Fatalf("Wait: got %d, %v", n, err)
				}
			}
			if waits > 5 {
				t.Errorf("coarse %v: %v took %d waits, want 1", coarse, d, waits)
			}
		}
	}
}

func TestWakesCostOneWrite(t *testing.T) {
	k := newKernel(t)
	var ev [1]Event
	for range 3 {
		for range 1000 {
			k.Wake()
		}
		if n, err := k.Wait(ev[:], Forever); n != 0 || err != nil {
			t.Fatalf("Wait: got %d, %v, want 0, nil", n, err)
		}
	}
	var count [8]byte
	if _, err := unix.Read(k.wake, count[:]); err != nil {
		t.Fatal(err)
	}
	if got := count[0] + count[7]; got != 3 {
		t.Errorf("3 rounds of 1000 wakes: got %d writes, want 3", got)
	}
}

func TestEpollReady(t *testing.T) {
	for _, c := range []struct {
		ev   uint32
		want Ready
	}{
		{unix.EPOLLIN, Readable},
		{unix.EPOLLOUT, Writable},
		{unix.EPOLLIN | unix.EPOLLRDHUP, Readable | HangUp},
		{unix.EPOLLERR, Readable | Writable | Broken | Failed},
		{unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLHUP, Readable | Writable | HangUp | Broken},
	} {
		if got := epollReady(c.ev); got != c.want {
			t.Errorf("events %#x: got %05b, want %05b", c.ev, got, c.want)
		}
	}
}
