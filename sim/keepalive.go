package sim

import (
	"time"

	"github.com/millrace/millrace/loop"
)

// Linux's own, where loop.KeepAlive leaves them at 0.
const (
	keepInterval = 75 * time.Second
	keepProbes   = 9
)

// keepalive reports whether s probes a silent peer, and how long the peer has been silent when s gives up.
func keepalive(o *loop.SocketOptions) (dead time.Duration, on bool) {
	k := o.KeepAlive
	if k.Idle <= 0 {
		return 0, false
	}
	interval, probes := or(k.Interval, keepInterval), or(k.Probes, keepProbes)
	if u := o.UserTimeout; u > 0 { // it takes the place of the number, but one probe there is
		probes = max(1, int((u-k.Idle+interval-1)/interval))
	}
	return k.Idle + time.Duration(probes)*interval, true
}

// probe is called when the peer may have ceased to answer. As long as it answers, probes change nothing, so only the
// last of a row without an answer is an event.
func (s *sock) probe() {
	n := s.h.n
	dead, on := keepalive(&s.opts)
	if !on || s.unix() || s.state != open || s.answered() {
		return
	}
	s.probed++
	idle := s.opts.KeepAlive.Idle
	last := s.heard + (n.now-s.heard)/idle*idle // the latest probe that was answered, or what came before any
	if s.resets() {
		dead = idle // the answer to the first is a reset
	}
	n.schedule(last+dead-n.now, event{kind: evKeepAlive, sock: s, epoch: s.probed})
}

// answered reports whether the other end would acknowledge a probe of s now.
func (s *sock) answered() bool {
	return s.in.passable() && s.out.passable() && !s.resets()
}

// resets reports whether the answer to a probe is a reset: the other end has forgotten the connection.
func (s *sock) resets() bool {
	return s.out.passable() && (s.out.successor() || s.other.state == closed && s.other.gone)
}

// unanswered is the end of a row of probes.
func (s *sock) unanswered() {
	switch {
	case s.resets():
		s.receiveReset()
	case !s.out.undelivered(): // else the timeout of what was sent decides
		s.abandon(errTimedOut)
	}
}
