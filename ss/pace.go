package ss

import (
	"time"

	"github.com/millrace/millrace/policy"
)

// pace is the state of a client stream's retry scheme, and the earliest time of its next attempt. It counts failures
// against conceal (tries) and the index in the backoff table (step) separately: a program may renew the budget, and
// must not be able to reset the backoff.
//
// A connection that was CONNECTED is a success if it received payload or lived at least as long as the delay before
// it. Any other counts as a failed attempt: a peer that accepts and closes must not be connected to more often than
// one that refuses.
type pace struct {
	mark   time.Duration // between connections: no attempt starts before it; while CONNECTED: since when
	gap    uint32        // the delay before the current or next attempt, in ms
	tries  uint16        // failures since the budget was renewed
	step   uint16        // entries of the table used since it was restarted
	jumped bool          // a Connect has started an attempt before its delay was over
}

// ending is how a connection that was CONNECTED ended.
type ending uint8

const (
	endCut    ending = iota // the peer or the network ended it abnormally
	endClosed               // the peer ended it, in order
	endOwn                  // the program ended it
	endDone                 // its transaction is complete
)

// failed counts a failed attempt. It returns the delay before the next, at least least, and whether the policy
// conceals this failure from the stream.
func (p *pace) failed(r *policy.Retry, now, least time.Duration, rnd uint16) (delay time.Duration, concealed bool) {
	delay = max(r.Delay(int(p.step), rnd), least)
	p.step = min(p.step, policy.Forever-1) + 1
	p.tries = min(p.tries, policy.Forever-1) + 1
	p.delay(now, delay)
	return delay, r.Concealed(int(p.tries))
}

// delay records the delay before the next attempt.
func (p *pace) delay(now, d time.Duration) {
	p.mark, p.gap = now+d, uint32((d+time.Millisecond-1)/time.Millisecond)
}

// connect returns when an attempt for Connect may start, and renews the budget: at once, also during a delay, but
// then only the first time. That, or a Connect after twice the delay, also restarts the table. So a program that
// calls Connect after each failure follows the table, after one additional attempt.
func (p *pace) connected(now time.Duration) { p.mark = now }

// done records a complete transaction: the scheme restarts.
func (p *pace) done() { *p = pace{} }

// lost counts the end of a connection that was CONNECTED. received and sent report whether it received and sent
// payload. lost returns the delay before the stream reconnects by itself, whether the connection was useful, and, if
// not, failed's concealed.
func (p *pace) lost(r *policy.Retry, now time.Duration, rnd uint16, how ending, received, sent bool) (delay time.Duration, useful, concealed bool) {
	lived := now - p.mark
	// Sent payload proves nothing about a peer that ends the connection: the peer may not have read it.
	useful = received || how == endOwn && sent
	inOrder := useful && how != endCut
	if !useful && lived < p.last() {
		delay, concealed = p.failed(r, now, 0, rnd)
		return delay, false, concealed
	}
	p.renew()
	delay = r.Delay(0, rnd)
	p.delay(now, delay)
	if inOrder {
		p.mark = 0 // the program's next request starts at once
	}
	return delay, true, true
}

// renew restarts the scheme.
func (p *pace) renew() { p.tries, p.step, p.jumped = 0, 0, false }

// request returns when an attempt for RequestTx may start.
func (p *pace) request(now time.Duration) time.Duration { return max(now, p.mark) }

// connect returns when an attempt for Connect may begin, and renews the budget: at once, also during a delay, but
// then only the first time. The table is begun anew with it, or by a Connect that comes after twice the delay. So a
// program that calls Connect in answer to each failure follows the table, after one attempt more.
func (p *pace) connect(now time.Duration) time.Duration {
	p.tries = 0
	switch {
	case now >= p.mark+p.last():
		p.renew()
	case now >= p.mark:
	case !p.jumped:
		p.renew()
		p.jumped = true
	default:
		return p.mark
	}
	return now
}

// last returns the delay before the current or next attempt.
func (p *pace) last() time.Duration { return time.Duration(p.gap) * time.Millisecond }
