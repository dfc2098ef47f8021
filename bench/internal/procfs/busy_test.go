package procfs

import (
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     time.Duration
		wantErr  bool
	}{
		{"idle, iowait and guest do not count", "cpu  1 2 4 1000 2000 8 16 32 5000 6000\ncpu0 9 9\n", 63 * tick, false},
		{"one core's line", "cpu0 1 2 3 4 5 6 7 8\n", 0, true},
		{"short", "cpu 1 2 3\n", 0, true},
		{"not numbers", "cpu 1 2 3 4 5 six 7 8\n", 0, true},
		{"empty", "", 0, true},
	} {
		got, err := parseBusy(tc.in)
		if got != tc.want || (err != nil) != tc.wantErr {
			t.Errorf("%s: parseBusy(%q): got %v, %v; want %v, error %v", tc.name, tc.in, got, err, tc.want, tc.wantErr)
		}
	}
}

func TestBusySeesWork(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for turns := 0; ; turns++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	if got, err := Busy(300 * time.Millisecond); err != nil || got < 0.2 {
		t.Errorf("while a goroutine spins: got %.2f cores at work, %v", got, err)
	}
}
