package stat

import (
	"math"
	"testing"
	"time"
)

// Every value must lie in the bucket it is counted in, and buckets must join without gap or overlap.
func TestBucketsJoin(t *testing.T) {
	next := uint64(0)
	for i := range len(Histogram{}.count) {
		lo, width := bounds(i)
		if lo != next {
			t.Fatalf("bucket %d: begins at %d, the one before ended at %d", i, lo, next)
		}
		if bucket(lo) != i || bucket(lo+width-1) != i {
			t.Fatalf("bucket %d: [%d, %d] maps to %d and %d", i, lo, lo+width-1, bucket(lo), bucket(lo+width-1))
		}
		if width > 1 && float64(width)/float64(lo) > 1.0/64 {
			t.Fatalf("bucket %d: %d wide at %d, want at most 1/64", i, width, lo)
		}
		next = lo + width
	}
	if next <= math.MaxInt64 {
		t.Errorf("the last bucket ends at %d, want past the longest duration", next)
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("empty: got %v, want 0", got)
	}
	for us := range 1000 {
		h.Add(time.Duration(us+1) * time.Microsecond)
	}
	for _, tc := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Microsecond}, {0.5, 500 * time.Microsecond}, {0.99, 990 * time.Microsecond}, {1, time.Millisecond}} {
		got := h.Quantile(tc.q)
		if off := math.Abs(float64(got-tc.want)) / float64(tc.want); off > 1.0/64 {
			t.Errorf("Quantile(%v): got %v, want %v within 1.6 %%", tc.q, got, tc.want)
		}
	}
	if h.N() != 1000 || h.Max() != time.Millisecond {
		t.Errorf("got N %d, max %v, want 1000 and 1ms", h.N(), h.Max())
	}
	h.Reset()
	if h.N() != 0 || h.Max() != 0 || h.Quantile(1) != 0 {
		t.Errorf("after Reset: got N %d, max %v", h.N(), h.Max())
	}
}

func TestExtremesStayInside(t *testing.T) {
	var h Histogram
	h.Add(-time.Second)
	h.Add(math.MaxInt64)
	if h.Quantile(0) != 0 || h.N() != 2 {
		t.Errorf("got %v of %d, want 0 of 2", h.Quantile(0), h.N())
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Add(1234) }); n != 0 {
		t.Errorf("Add: got %v allocations, want 0", n)
	}
}
