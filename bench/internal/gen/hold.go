package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
)

// atOnce bounds the connections of Hold that wait for their answer at the same time. Idle clients
// come one after another; Storm is the test in which they do not.
const atOnce = 64

// Hold opens n connections, lets each make one request, and returns when all have their answer. The
// connections then do nothing. release aborts them.
func Hold(addr netip.AddrPort, n, size int) (release func(), err error) {
	c, err := open(addr, 0, 0)
	if err != nil {
		return nil, err
	}
	p := pinger{request: []byte(Request), total: size, buf: make([]byte, size+1),
		base: time.Now(), hist: new(stat.Histogram)}
	for len(c.all) < n && err == nil {
		err = c.holdMore(addr, min(atOnce, n-len(c.all)), &p)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("gen: hold %d connections to %v: number %d: %w", n, addr, len(c.all), err)
	}
	return c.close, nil
}

// holdMore opens n connections, asks once on each, and waits for the answers.
func (c *crowd) holdMore(addr netip.AddrPort, n int, p *pinger) error {
	for range n {
		fd, err := dial(addr, len(c.all))
		if err != nil {
			return err
		}
		k := c.add(fd)
		if err := c.poll.Add(fd, unix.EPOLLIN); err != nil {
			return err
		}
		if err := p.ask(k); err != nil {
			return err
		}
	}
	for begin := time.Now(); n > 0; {
		evs, err := c.poll.Wait(stall)
		if err != nil {
			return err
		}
		for i := range evs {
			full, err := p.read(c.by[evs[i].Fd])
			if err != nil {
				return err
			}
			if full {
				n--
			}
		}
		if time.Since(begin) > stall {
			return fmt.Errorf("no answer for %v", stall)
		}
	}
	return nil
}
