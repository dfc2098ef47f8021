package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// atOnce bounds the connections of Hold that wait for their response at the same time. Idle clients
// connect gradually; Storm tests concurrent connects.
const atOnce = 64

// Stay is Conns connections that send one request and then are idle. Size is the length of the response, as
// returned by Probe.
type Stay struct {
	Addr  netip.AddrPort
	Conns int
	Size  int
	TLS   bool // over TLS 1.3
	WS    bool // WebSockets, whose request is a message to an echo; Size is ignored
}

// Held are connections that have sent one request and are idle until a Wake.
type Held struct {
	connSet *connSet
	Stay
	ping  *pinger
	woken []*conn // by the last Wake
	next  int     // index of the first that has not been woken
}

// Hold opens the connections, sends a request on each, and returns when all responses have arrived. The connections
// are idle afterwards.
func Hold(s Stay) (*Held, error) {
	c, err := open(s.Addr, 0, 0, false)
	if err != nil {
		return nil, err
	}
	h := &Held{Stay: s, connSet: c, ping: httpPinger(1, s.Size)}
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
func (h *Held) Release() { h.connSet.close() }

// more opens n connections, sends a request on each, and waits for the responses.
func (h *Held) more(n int) error {
	c := h.connSet
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
			return fmt.Errorf("no response for %v", stall)
		}
	}
	return nil
}

// Wake sends a request on each of n connections that have been idle since Hold, one after another, and returns
// the median of their latencies. It fails when fewer than n are left.
func (h *Held) Wake(n int) (p50 time.Duration, err error) {
	if left := len(h.connSet.all) - h.next; n > left {
		return 0, fmt.Errorf("gen: wake %d connections: %d have not been woken yet", n, left)
	}
	h.woken = h.connSet.all[h.next : h.next+n]
	h.next += n
	for _, k := range h.woken {
		// The time to expand the generator's own keys must not count.
		if k.tls != nil {
			if err := k.tls.wake(); err != nil {
				return 0, fmt.Errorf("gen: wake %d connections: %w", n, err)
			}
		}
	}
	return h.Again()
}

// Again sends one more request on each connection of the last Wake, which are awake now.
func (h *Held) Again() (p50 time.Duration, err error) {
	h.ping.restart()
	for i, k := range h.woken {
		if err := h.once(k); err != nil {
			return 0, fmt.Errorf("gen: request on idle connection %d: %w", h.next-len(h.woken)+i, err)
		}
	}
	return h.ping.hist.Quantile(0.50), nil
}

// once sends one request and polls for its response without sleeping.
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
	return fmt.Errorf("no response for %v", stall)
}
