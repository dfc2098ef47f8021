package stat

import (
	"math/bits"
	"time"
)

// subBits sets the resolution: 1<<subBits steps in every power of two, so that a bucket is at most
// 1/64 (1.6 %) as wide as its value. Two runs differ by more than that.
const subBits = 6

// Histogram counts durations from 1 ns to the longest time.Duration in buckets of constant relative
// width. Its zero value is empty and ready; it is 30 KiB and never grows. One goroutine only.
type Histogram struct {
	count [(64 - subBits) << subBits]uint64
	n     uint64
	max   time.Duration
}

// Add counts one duration. A negative one counts as zero; a monotonic clock gives none.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.count[bucket(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// N returns the number of counted durations.
func (h *Histogram) N() uint64 { return h.n }

// Max returns the longest counted duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the fraction q (0 to 1) of all counted durations did not exceed: the
// middle of its bucket, never more than Max. An empty histogram returns 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.n)), h.n-1)
	for i, seen := 0, uint64(0); i < len(h.count); i++ {
		seen += h.count[i]
		if seen > rank {
			lo, width := bounds(i)
			return min(time.Duration(lo+width/2), h.max)
		}
	}
	return h.max
}

// Reset empties h.
func (h *Histogram) Reset() { *h = Histogram{} }

// bucket maps v to its index. Values below 2<<subBits have buckets one wide; above, the top subBits+1
// bits of the value decide.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// bounds is the inverse of bucket: it returns the least value of a bucket, and its width.
func bounds(i int) (lo, width uint64) {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits) << shift, 1 << shift
}
