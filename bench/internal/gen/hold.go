package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// atOnce bounds the connections of Hold that wait for their answer at the same time. Idle clients
// come one after another; Storm is the test in which they do not.
const atOnce = 64

// Stay is Conns connections that are to make one request and then do nothing. Size is the length of its answer, as
// Probe found it.
type Stay struct {
	Addr  netip.AddrPort
	Conns int
	Size  int
	TLS   bool // over TLS 1.3
	WS    bool // WebSockets, whose request is a message that comes back. Size does not matter
}

// Held are connections that have made one request and then do nothing, until some of them Wake.
type Held struct {
	crowd *crowd
	Stay
	ping  *pinger
	woken []*conn // by the last Wake
	next  int     // the first that has not been woken
}

// Hold opens the connections, lets each make its request, and returns when all have their answer. The connections
// then do nothing.
func Hold(s Stay) (*Held, error) {
	c, err := open(s.Addr, 0, 0, false)
	if err != nil {
		return nil, err
	}
	h := &Held{Stay: s, crowd: c, ping: httpPinger(1, s.Size)}
	if s.WS {
		h.ping = wsPinger()
	}
	for len(c.all) < s.Conns && err == nil {
		err = h.more(min(atOnce, s.Conns-len(c.all)))
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("gen: hold %d connections to %v: number %d: %w", s.Conns, s.Addr, len(c.all), err)
	}
	return h, nil
}

// Release aborts all connections.
func (h *Held) Release() { h.crowd.close() }

// more opens n connections, asks once on each, and waits for the answers.
func (h *Held) more(n int) error {
	c := h.crowd
	dial := c.dial
	if h.WS {
		dial = c.dialWS
	}
	for range n {
		k, err := dial(h.Addr, unix.EPOLLIN, h.TLS)
		if err != nil {
			return err
		}
		if err := h.ping.ask(k); err != nil {
			return err
		}
	}
	for begin := time.Now(); n > 0; {
		evs, err := c.poll.Wait(stall)
		if err != nil {
			return err
		}
		for i := range evs {
			k := c.by[evs[i].Fd]
			full, err := h.ping.read(k)
			if err != nil {
				return err
			}
			if full {
				n--
				if k.tls != nil {
					k.tls.sleep()
				}
			}
		}
		if time.Since(begin) > stall {
			return fmt.Errorf("no answer for %v", stall)
		}
	}
	return nil
}

// Wake makes one request after another on n connections that have done nothing since Hold, and returns
// the median of their latencies. It fails when fewer than n are left.
func (h *Held) Wake(n int) (p50 time.Duration, err error) {
	if left := len(h.crowd.all) - h.next; n > left {
		return 0, fmt.Errorf("gen: wake %d connections: %d have not been woken yet", n, left)
	}
	h.woken = h.crowd.all[h.next : h.next+n]
	h.next += n
	for _, k := range h.woken {
		// The generator's own keys are not what is measured.
		if k.tls != nil {
			if err := k.tls.wake(); err != nil {
				return 0, fmt.Errorf("gen: wake %d connections: %w", n, err)
			}
		}
	}
	return h.Again()
}

// Again makes one more request on each connection of the last Wake, which now are awake.
func (h *Held) Again() (p50 time.Duration, err error) {
	h.ping.restart()
	for i, k := range h.woken {
		if err := h.once(k); err != nil {
			return 0, fmt.Errorf("gen: request on idle connection %d: %w", h.next-len(h.woken)+i, err)
		}
	}
	return h.ping.hist.Quantile(0.50), nil
}

// once makes one request and waits for its answer, without sleeping.
func (h *Held) once(k *conn) error {
	if err := h.ping.ask(k); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < stall; {
		full, err := h.ping.read(k)
		if err != nil {
			return err
		}
		if full {
			h.ping.answered(k)
			return nil
		}
	}
	return fmt.Errorf("no answer for %v", stall)
}
