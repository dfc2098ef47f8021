package sim

import (
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
)

// Add registers fd: see loop.Poller.
func (h *Host) Add(fd loop.FD, t loop.Token) error {
	h.calls.Adds++
	s := h.at(fd)
	e := syscall.Errno(0)
	switch {
	case s == nil:
		e = syscall.EBADF
	case s.registered:
		e = syscall.EEXIST
	default:
		s.registered, s.token, s.told = true, t, 0
		if s.present() != 0 {
			s.enqueue()
		}
	}
	h.note(opAdd, fd, 0, e, nil)
	if e != 0 {
		return fmt.Errorf("sim: add: descriptor %d: %w", fd, e)
	}
	return nil
}

// Remove ends the registration.
func (h *Host) Remove(fd loop.FD) {
	h.calls.Removes++
	if s := h.at(fd); s != nil {
		s.registered = false
	}
	h.note(opRemove, fd, 0, 0, nil)
}

// wake reports an edge: the state of s has changed. The report may be late.
func (s *sock) wake() {
	if !s.registered {
		return
	}
	n := s.h.n
	if n.roll(n.opts.LateReady) {
		n.schedule(n.upTo(or(n.opts.LateReadyMax, time.Millisecond)), event{kind: evReady, sock: s})
		return
	}
	s.enqueue()
}

// enqueue adds s to the list that the next Wait reports.
func (s *sock) enqueue() {
	if s.registered && !s.queued {
		s.queued = true
		s.h.ready = append(s.h.ready, s)
	}
}

// present returns the present readiness, as the kernel's poll callback of a TCP socket computes it.
func (s *sock) present() (r loop.Ready) {
	switch s.state {
	case listening:
		if len(s.queue) > 0 {
			r = loop.Readable
		}
		return r
	case connecting:
		return 0
	}
	if s.rcvShut {
		r |= loop.Readable | loop.HangUp
	}
	if s.in != nil && s.in.arrived > s.in.read {
		r |= loop.Readable
	}
	switch {
	case s.sndShut || s.out.writable():
		r |= loop.Writable
	default:
		s.noSpace = true
	}
	if s.rcvShut && s.sndShut || s.err != 0 {
		r |= loop.Readable | loop.Writable | loop.Broken
	}
	if s.err != 0 {
		r |= loop.Failed
	}
	return r
}

// Wait implements loop.Poller. With a timeout above zero virtual time passes until there is an event for this host,
// and due events of all other hosts are processed. It never waits in real time, except for another goroutine's Wake
// (Options.OutsideWake).
func (h *Host) Wait(ev []loop.Event, timeout time.Duration) (int, error) {
	h.calls.Waits++
	k, err := h.wait(ev, timeout)
	if k == 0 {
		h.calls.WaitsEmpty++
	}
	h.note(opWait, loop.NoFD, k, 0, nil)
	for _, e := range ev[:k] {
		h.n.mix(uint64(e.Token)<<8 | uint64(e.Ready))
	}
	return k, err
}

func (h *Host) wait(ev []loop.Event, timeout time.Duration) (int, error) {
	n := h.n
	if len(ev) == 0 {
		return 0, fmt.Errorf("sim: wait: on host %s: no room for events: %w", h.name, syscall.EINVAL)
	}
	if h.closed {
		return 0, fmt.Errorf("sim: wait: on host %s: %w", h.name, ErrClosed)
	}
	if l := n.opts.Limit; l > 0 && n.now-epoch > l {
		return 0, fmt.Errorf("sim: wait: on host %s: for %v: %w\n%s", h.name, l, ErrLimit, n.Dump())
	}
	defer h.disturb()
	n.advance(max(n.now, h.paused))
	h.pretend()
	until, early := time.Duration(math.MaxInt64), false
	if timeout >= 0 && timeout < until-n.now {
		until = n.now + timeout
	}
	if timeout != 0 && n.roll(n.opts.SpuriousWake) {
		until, early = n.now+n.upTo(min(until-n.now, time.Second)), true
	}
	for {
		woken := h.woken.Swap(false)
		if k := h.collect(ev); k > 0 || woken || n.now >= until {
			return k, nil
		}
		at, ok := n.next()
		switch {
		case ok && at <= until || timeout >= 0 || early:
			if ok {
				n.advance(min(at, until))
			} else {
				n.advance(until)
			}
		case n.opts.OutsideWake:
			<-h.wake
		default:
			return 0, fmt.Errorf("sim: wait: on host %s: %w\n%s", h.name, ErrDeadlock, n.Dump())
		}
	}
}

// disturb applies the faults that follow a Wait.
func (h *Host) disturb() {
	n, o := h.n, &h.n.opts
	if n.roll(o.WallJump) {
		most := or(o.WallJumpMax, 24*time.Hour)
		h.JumpWall(n.upTo(2*most) - most)
	}
	if n.roll(o.Pause) {
		h.Suspend(n.upTo(or(o.PauseMax, 10*time.Second)))
	}
}

// pretend queues an edge without new readiness.
func (h *Host) pretend() {
	n := h.n
	if len(h.fds) > 0 && n.roll(n.opts.SpuriousReady) {
		s := h.fds[n.faultRNG.IntN(len(h.fds))]
		// On a connecting socket a wrong Writable would report a wrong outcome, which no kernel does.
		if s != nil && s.registered && s.state != connecting {
			s.told |= spurious
			s.enqueue()
		}
	}
}

// spurious marks a socket whose next report has no new readiness.
const spurious loop.Ready = 1 << 7

// collect moves edges into ev.
func (h *Host) collect(ev []loop.Event) int {
	k := 0
	if waiting := h.ready[h.readyHead:]; h.n.opts.ShuffleReady {
		h.n.faultRNG.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	}
	for ; h.readyHead < len(h.ready) && k < len(ev); h.readyHead++ {
		s := h.ready[h.readyHead]
		h.ready[h.readyHead] = nil
		s.queued = false
		if !s.registered {
			continue // closed or removed since then
		}
		if r := s.report(); r != 0 {
			ev[k] = loop.Event{Token: s.token, Ready: r}
			k++
		}
	}
	if h.readyHead == len(h.ready) {
		h.ready, h.readyHead = h.ready[:0], 0
	}
	return k
}

// report returns the readiness to report for s now.
func (s *sock) report() loop.Ready {
	r := s.present()
	if s.told&spurious != 0 {
		s.told &^= spurious
		r |= loop.Readable
		if s.state != listening {
			r |= loop.Writable
		}
	} else if s.h.n.opts.StrictEdges {
		r &^= s.told
	}
	s.told |= r
	return r
}

// pending reports whether a Wait(0) would return an event or a wake-up.
func (h *Host) pending() bool {
	return h.woken.Load() || h.readyHead < len(h.ready)
}

// Wake makes the present or next Wait return. Any goroutine may call it.
func (h *Host) Wake() {
	h.woken.Store(true)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// PollFD returns NoFD: there is no descriptor that another event loop could watch.
func (h *Host) PollFD() loop.FD { return loop.NoFD }

// Shutdown ends waiting and offloading: jobs that have not started never run. It does not close descriptors.
func (h *Host) Shutdown() error {
	h.closed = true
	h.Wake()
	return nil
}
