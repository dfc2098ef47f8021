package http

import "time"

// PaceLimits bound how slow a body may be. 0 disables a limit.
type PaceLimits struct {
	// Rate is the least rate in bytes of payload per second.
	Rate int64
	// Grace is how far the peer may fall behind Rate, as a time: how long it may send nothing. It is full at the start of a
	// body, and payload that comes faster than Rate refills it. Without Grace, Rate does not apply.
	Grace time.Duration
	// Total is the longest time from the start of the body to its end.
	Total time.Duration
}

// Pace checks one body against PaceLimits. Its clock runs only while this side is ready to receive: a handler that has
// paused, or a window that was not granted, is not the fault of the peer. The zero Pace is stopped.
type Pace struct {
	since   time.Duration // the time at which credit and left were computed
	credit  time.Duration // what remains of Grace
	left    time.Duration // what remains of Total
	running bool
}

// PaceFault is the limit that a body exceeds.
type PaceFault uint8

const (
	PaceKept  PaceFault = iota // none
	PaceRate                   // PaceLimits.Rate
	PaceTotal                  // PaceLimits.Total
)

// Start starts the clock for a new body.
func (p *Pace) Start(now time.Duration, l *PaceLimits) {
	*p = Pace{since: now, credit: l.Grace, left: l.Total, running: true}
}

// Stop stops the clock. A second call has no effect.
func (p *Pace) Stop(now time.Duration) {
	p.advance(now)
	p.running = false
}

// Resume starts the clock again. A second call has no effect.
func (p *Pace) Resume(now time.Duration) {
	if !p.running {
		p.running, p.since = true, now
	}
}

// Refill refills the grace after a time in which the peer could not send.
func (p *Pace) Refill(now time.Duration, l *PaceLimits) {
	p.advance(now)
	p.credit = l.Grace
}

// Took counts n bytes of payload that have come.
func (p *Pace) Took(now time.Duration, n int, l *PaceLimits) {
	p.advance(now)
	if l.Rate > 0 {
		p.credit = min(l.Grace, p.credit+time.Duration(int64(n)*int64(time.Second)/l.Rate))
	}
}

func (p *Pace) advance(now time.Duration) {
	if p.running {
		d := now - p.since
		p.credit, p.left, p.since = p.credit-d, p.left-d, now
	}
}

// Due returns the time at which the body exceeds a limit unless more of it comes; 0 for never, and while the clock is
// stopped.
func (p *Pace) Due(l *PaceLimits) time.Duration {
	switch {
	case !p.running:
		return 0
	case l.Rate > 0 && l.Grace > 0 && (l.Total <= 0 || p.credit < p.left):
		return max(1, p.since+p.credit)
	case l.Total > 0:
		return max(1, p.since+p.left)
	}
	return 0
}

// Quiet returns how long the clock has run since the last call of Took or Resume.
func (p *Pace) Quiet(now time.Duration) time.Duration {
	if !p.running {
		return 0
	}
	return now - p.since
}

// Missed returns the limit that the body exceeds at now.
func (p *Pace) Missed(now time.Duration, l *PaceLimits) PaceFault {
	d := p.Due(l)
	switch {
	case d == 0 || now < d:
		return PaceKept
	case l.Total > 0 && now >= p.since+p.left:
		return PaceTotal
	}
	return PaceRate
}
