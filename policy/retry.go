package policy

import "time"

// Forever as Retry.Conceal means that failures are never reported.
const Forever = 65535

// maxBackoff bounds one entry of a backoff table. A device that waits longer than a week is not retrying.
const maxBackoff = 7 * 24 * time.Hour

// DefaultRetry serves every stream type that names no retry scheme: 3 s, up to 30 % more, nothing concealed.
var DefaultRetry = &Retry{Backoff: []time.Duration{defaultDelay}, JitterPC: defaultJitter}

const (
	defaultDelay  = 3 * time.Second
	defaultJitter = 30 // percent
)

// Retry is a named backoff scheme.
type Retry struct {
	Name      string
	Backoff   []time.Duration // delay before each attempt in turn; the last serves all further ones
	Conceal   int             // failures hidden from the stream, 65535 (Forever) means all
	JitterPC  int             // largest random addition, in percent of the delay; 30 when not given, an explicit 0 is 0
	ValidPing time.Duration   // idle time after which the connection is probed, 0 for never
	ValidHup  time.Duration   // idle time after which it is given up as dead, 0 for never
	// HasValidity: the document gives svalidping or svalidhup, so that zeros in them mean never. Without it each
	// protocol has its own default.
	HasValidity bool
}

// Delay returns how long to wait before attempt number try, counted from 0, where rnd is 16 bits of
// random. As in the reference, the jitter is counted in whole milliseconds.
func (r *Retry) Delay(try int, rnd uint16) time.Duration {
	if len(r.Backoff) == 0 {
		return DefaultRetry.Delay(try, rnd)
	}
	base := r.Backoff[min(max(try, 0), len(r.Backoff)-1)]
	base = min(base, maxBackoff)
	jitter := base.Milliseconds() * int64(r.JitterPC) * int64(rnd)
	return base + time.Duration((jitter>>16)/100)*time.Millisecond
}

// Concealed reports whether a stream that has now failed this many times, the present failure included,
// tries again silently. The count of a stream stops at 65535, so a conceal of that never gives up.
func (r *Retry) Concealed(tries int) bool {
	return min(tries, Forever) <= r.Conceal
}

// patience is about how long a stream tries before it gives up.
func (r *Retry) patience() (sum time.Duration) {
	for try := range r.Conceal {
		if try >= len(r.Backoff) {
			return sum + time.Duration(r.Conceal-try)*r.Delay(try, 0)
		}
		sum += r.Delay(try, 0)
	}
	return sum
}
