package h2

import "time"

// budget bounds how often a peer may cause work without progress: a leaky bucket.
type budget struct {
	used float32
	at   time.Duration
}

// spend counts one event. It reports false if more than burst events are counted and not forgiven; rate events are
// forgiven per second.
func (b *budget) spend(now time.Duration, burst, rate int) bool {
	if b.used > 0 {
		b.used = max(0, b.used-float32((now-b.at).Seconds())*float32(rate))
	}
	b.at = now
	b.used++
	return b.used <= float32(burst)
}

// forgive takes n events off the count.
func (b *budget) forgive(n float32) { b.used = max(0, b.used-n) }
