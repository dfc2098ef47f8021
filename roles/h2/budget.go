package h2

import "time"

// budget bounds how often a peer may cause work without progress: a leaky bucket. A connection has two: frameBudget for
// frames without progress (idleFrame), and resetBudget for streams that end with a reset (countReset). The zero budget has
// counted nothing.
type budget struct {
	used float32       // events counted and not forgiven yet
	at   time.Duration // the time of the last event
}

// spend counts one event at now, after it has forgiven rate events per second since the last one. It reports false if
// more than burst events remain: the caller then ends the connection.
func (b *budget) spend(now time.Duration, burst, rate int) bool {
	if b.used > 0 {
		b.used = max(0, b.used-float32((now-b.at).Seconds())*float32(rate))
	}
	b.at = now
	b.used++
	return b.used <= float32(burst)
}

// forgive subtracts n events, since the peer has made progress.
func (b *budget) forgive(n float32) { b.used = max(0, b.used-n) }
