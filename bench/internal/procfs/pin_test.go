package procfs

import (
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The test discards its thread: a goroutine that ends while locked ends its thread too,
// so no other test runs bound to one core.
func TestPinThread(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		before, err := Cores()
		if err != nil || len(before) == 0 {
			t.Errorf("Cores: got %v, %v", before, err)
			return
		}
		core := before[len(before)-1]
		if err := PinThread(core); err != nil {
			t.Error(err)
			return
		}
		if after, err := Cores(); err != nil || !slices.Equal(after, []int{core}) {
			t.Errorf("pinned to %d: got cores %v, %v", core, after, err)
		}
	}()
	<-done
}

func TestPinToACoreThatIsNotThere(t *testing.T) {
	if err := pin(unix.Gettid(), 1000); err == nil {
		t.Error("pinned to core 1000, want an error")
	}
}
