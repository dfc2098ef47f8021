package ss

import (
	"time"

	"github.com/millrace/millrace/policy"
)

// pace is how far a client stream is in its retry scheme, and when its next attempt may begin. It counts the
// failures against conceal (tries) apart from the place in the backoff table (step), because a program may renew
// the one and must not be able to undo the other.
//
// A connection that was CONNECTED is a success if it has brought payload or has lived at least as long as the delay
// before it. Any other counts as a failed attempt: a peer that accepts and closes must not be called more often than
// one that refuses.
type pace struct {
	mark   time.Duration // between connections: no attempt begins before it; while CONNECTED: since when
	gap    uint32        // the delay that the scheme had for the present or next attempt, in ms
	tries  uint16        // failures since the budget was renewed
	step   uint16        // entries of the table used up since it was begun anew
	jumped bool          // a Connect has begun an attempt before its delay was over
}

// ending is how a connection that was CONNECTED is over.
type ending uint8

const (
	endCut    ending = iota // the peer or the network ended it, not in order
	endClosed               // the peer ended it, in order
	endOwn                  // the program ended it
	endDone                 // its transaction is complete, which the peer has answered
)

// failed counts a failed attempt. It returns the delay before the next, which is least or more, and whether the
// stream does not hear of this failure as the last.
func (p *pace) failed(r *policy.Retry, now, least time.Duration, rnd uint16) (delay time.Duration, concealed bool) {
	delay = max(r.Delay(int(p.step), rnd), least)
	p.step = min(p.step, policy.Forever-1) + 1
	p.tries = min(p.tries, policy.Forever-1) + 1
	p.delay(now, delay)
	return delay, r.Concealed(int(p.tries))
}

// delay notes the delay before the next attempt.
func (p *pace) delay(now, d time.Duration) {
	p.mark, p.gap = now+d, uint32((d+time.Millisecond-1)/time.Millisecond)
}

// connected notes that the connection is established.
func (p *pace) connected(now time.Duration) { p.mark = now }

// done notes a transaction that the peer has answered: all is as at first.
func (p *pace) done() { *p = pace{} }

// lost counts the end of a connection that was CONNECTED. received and sent report whether it has brought payload,
// and taken any. lost returns the delay before the stream reconnects by itself, whether the connection was of any
// use, and, if not, failed's concealed.
func (p *pace) lost(r *policy.Retry, now time.Duration, rnd uint16, how ending, received, sent bool) (delay time.Duration, useful, concealed bool) {
	lived := now - p.mark
	// What we have sent proves nothing of a peer that ends the connection: it may have left it unread.
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
		p.mark = 0 // what the program asks for next begins at once
	}
	return delay, true, true
}

// renew begins the scheme anew.
func (p *pace) renew() { p.tries, p.step, p.jumped = 0, 0, false }

// request returns when an attempt for RequestTx may begin.
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

// last is the delay before the present or next attempt.
func (p *pace) last() time.Duration { return time.Duration(p.gap) * time.Millisecond }
