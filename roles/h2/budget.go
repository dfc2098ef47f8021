package h2

import "time"

// budget bounds how often a peer may do what costs us work and brings it nothing: a leaky bucket.
type budget struct {
	used float32
	at   time.Duration
}

// take spends one, and reports false when more than burst were spent that are not forgiven yet, at rate a
// second.
func (b *budget) spend(now time.Duration, burst, rate int) bool {
	if b.used > 0 {
		b.used = max(0, b.used-float32((now-b.at).Seconds())*float32(rate))
	}
	b.at = now
	b.used++
	return b.used <= float32(burst)
}

// forgive gives back n.
func (b *budget) forgive(n float32) { b.used = max(0, b.used-n) }
