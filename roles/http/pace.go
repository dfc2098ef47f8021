package http

import "time"

// PaceLimits say how slow a body may be. 0 switches a limit off.
type PaceLimits struct {
	// Rate is the least rate in bytes of payload per second.
	Rate int64
	// Grace is how far a peer may be behind that rate, in time: as long as it may send nothing at all. It is full
	// at the start of a body, and what comes faster than Rate fills it again. Without it there is no least rate.
	Grace time.Duration
	// Total is how long the body may take from its start to its end.
	Total time.Duration
}

// Pace holds one body to PaceLimits. Its clock runs only while we are ready to take what the peer sends: a handler that
// has paused, or a window that we have not granted, is not the peer's fault. The zero Pace is stopped.
type Pace struct {
	since   time.Duration // when credit and left were right
	credit  time.Duration // of Grace
	left    time.Duration // of Total
	running bool
}

// PaceFault is what a peer has missed.
type PaceFault uint8

const (
	PaceKept  PaceFault = iota // nothing
	PaceRate                   // the least rate
	PaceTotal                  // the total time
)

// Start begins a body.
func (p *Pace) Start(now time.Duration, l *PaceLimits) {
	*p = Pace{since: now, credit: l.Grace, left: l.Total, running: true}
}

// Stop stops the clock, Resume starts it again. Doing so twice is doing so once.
func (p *Pace) Stop(now time.Duration) {
	p.advance(now)
	p.running = false
}

// Resume starts the clock again.
func (p *Pace) Resume(now time.Duration) {
	if !p.running {
		p.running, p.since = true, now
	}
}

// Refill fills the grace, after a time in which the peer could not send.
func (p *Pace) Refill(now time.Duration, l *PaceLimits) {
	p.advance(now)
	p.credit = l.Grace
}

// Took notes that n bytes of payload have come.
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

// Due is when the peer is too slow unless more has come by then; 0 for never, and while the clock is stopped.
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

// Quiet is how long the clock has run since the last call of Took, or of Resume.
func (p *Pace) Quiet(now time.Duration) time.Duration {
	if !p.running {
		return 0
	}
	return now - p.since
}

// Missed tells what the peer has missed by now.
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
