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

// Neither way of waiting returns early.
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

// The first wait that ends soon makes the next one raw, and a raw wait that finds nothing makes the next one normal.
// Neither returns early or misses an event.
func TestShortWaitsAreRaw(t *testing.T) {
	k := newKernel(t)
	var ev [1]Event
	if n, err := k.Wait(ev[:], 2*rawWait); n != 0 || err != nil || k.brisk {
		t.Fatalf("a wait that found nothing: got %d events, error %v, brisk %v; want 0, nil, false", n, err, k.brisk)
	}
	client, server := join(t, k, tcp("127.0.0.1:0"), SocketOptions{})
	if err := k.Add(server, MakeToken(server, 1)); err != nil {
		t.Fatal(err)
	}
	if n, err := k.Wait(ev[:], 0); n != 1 || err != nil {
		t.Fatalf("the socket is writable: got %d events, error %v, want 1, nil", n, err)
	}
	k.brisk = true // as after a wait that was short
	if _, err := k.Write(client, []byte("x")); err != 0 {
		t.Fatal(err)
	}
	if n, err := k.Wait(ev[:], Forever); n != 1 || err != nil || !k.brisk {
		t.Fatalf("a raw wait with an event: got %d events, error %v, brisk %v; want 1, nil, true", n, err, k.brisk)
	}
	start := k.Now()
	if n, err := k.Wait(ev[:], ms(2)); n != 0 || err != nil || k.brisk {
		t.Fatalf("a raw wait without an event: got %d events, error %v, brisk %v; want 0, nil, false", n, err, k.brisk)
	}
	if took := k.Now() - start; took < ms(2)-rawWait {
		t.Errorf("a wait of 2 ms that started raw took %v", took)
	}
	k.brisk = true
	if n, err := k.Wait(ev[:], rawWait/2); n != 0 || err != nil || !k.brisk {
		t.Errorf("a wait shorter than the bound: got %d events, error %v, brisk %v; want 0, nil, true", n, err, k.brisk)
	}
	if _, err := k.Write(client, []byte("y")); err != 0 {
		t.Fatal(err)
	}
	if n, err := k.Wait(ev[:], Forever); n != 1 || err != nil {
		t.Errorf("an event after a short wait: got %d events, error %v, want 1, nil", n, err)
	}
	k.Wake()
	k.brisk = true
	if n, err := k.Wait(ev[:], Forever); n != 0 || err != nil {
		t.Errorf("a wake during a raw wait: got %d events, error %v, want 0, nil", n, err)
	}
}
