package wsi

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// Without a free descriptor no connection is accepted, established ones are served, and the listener continues by
// itself later.
func TestKernelDescriptorExhaustion(t *testing.T) {
	k := onKernel(t, Config{})
	a := k.listenAt(Bind{Host: "127.0.0.1"}, nil)
	first, f := k.client(a)
	f.onRx = func(b []byte) int { f.send("yes"); return len(b) }
	second, err := net.Dial("tcp", a.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	// All descriptor numbers from the first free one on are unavailable for a while.
	probe, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(probe)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = uint64(probe)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Skipf("cannot lower the limit of descriptors: %v", err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	k.until("exhaustion", func() bool { return k.net.Counters.AcceptExhausted > 0 })
	before := k.net.Counters.AcceptExhausted
	first.Write([]byte("are you there?"))
	k.until("service of the established connection", func() bool { return len(f.got) > 0 })
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		k.turn()
	}
	if got := k.net.Counters.AcceptExhausted - before; got < 1 || got > 5 {
		t.Errorf("tried in a quarter of a second: got %d times, want 2 or so", got)
	}
	if len(a.all) != 1 {
		t.Fatalf("accepted without descriptors: got %d, want the 1 from before", len(a.all))
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	k.until("accept", func() bool { return len(a.all) == 2 })
	a.all[1].wantOpen()
}
