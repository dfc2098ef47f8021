package sim

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
)

func TestOffload(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		o    Options
		err  error // of the job
		want error
		ran  bool
	}{
		{"well", Options{}, nil, nil, true},
		{"its own error", Options{}, boom, boom, true},
		{"slow", Options{OffloadMax: time.Hour}, nil, nil, true},
		{"injected failure", Options{OffloadFail: 1}, nil, ErrInjected, false},
	} {
		h := New(3, c.o).Host("h")
		ran := false
		var posted []func()
		var got error
		h.Offload(func() error { ran = true; return c.err }, func(err error) { got = err },
			func(f func()) { posted = append(posted, f); h.Wake() })
		if ran {
			t.Errorf("%s: job ran inside Offload", c.name)
		}
		var ev [1]loop.Event
		start := h.Now()
		h.Wait(ev[:], loop.Forever)
		took := h.Now() - start
		if len(posted) != 1 {
			t.Fatalf("%s: got %d functions posted, want 1", c.name, len(posted))
		}
		posted[0]()
		if ran != c.ran || !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: got ran %v, error %v, want %v, %v", c.name, ran, got, c.ran, c.want)
		}
		if slow := c.o.OffloadMax > 0; slow != (took > 0) {
			t.Errorf("%s: job took %v", c.name, took)
		}
	}
}

// After Shutdown no further job starts.
func TestOffloadShutdown(t *testing.T) {
	h := New(1, Options{}).Host("h")
	h.Offload(func() error { t.Error("job ran"); return nil }, func(error) { t.Error("done was called") },
		func(func()) { t.Error("post was called") })
	h.Shutdown()
	h.n.Advance(time.Hour)
}
