package gen

import (
	"fmt"
	"time"
)

// user is a type of load: serve handles the readiness of one connection and returns the number of
// completed requests; restart discards the results of the warm-up.
type user interface {
	serve(k *conn, events uint32) (done int, err error)
	restart()
}

// stall is how long a server may send no response on any connection before the run fails.
const stall = 5 * time.Second

// run warms up, then measures. The connections stay busy between the two.
func run(c *connSet, w Window, u user) (Result, error) {
	if _, err := turn(c, w.Warm, u); err != nil {
		return Result{}, err
	}
	u.restart()
	before, err := w.CPU()
	if err != nil {
		return Result{}, err
	}
	r, err := turn(c, w.Span, u)
	if err != nil {
		return Result{}, err
	}
	after, err := w.CPU()
	if err != nil {
		return Result{}, err
	}
	r.CPU = after - before
	return r, nil
}

// turn serves the connections for span, or longer, until one response has arrived: a
// window without one, on a machine without time for the server, has no figures. It handles every
// event that it has taken from the poller, since an edge is reported only once.
func turn(c *connSet, span time.Duration, u user) (Result, error) {
	var (
		r     Result
		begin = time.Now()
		idle  time.Duration // in total
		since time.Duration // when the loop last ran out of work
		quiet bool
	)
	for {
		evs, err := c.poll.Look()
		if err != nil {
			return r, err
		}
		now := time.Since(begin)
		if len(evs) == 0 {
			if !quiet {
				quiet, since = true, now
			}
			if now-since > stall {
				return r, fmt.Errorf("no response for %v", stall)
			}
		} else if quiet {
			quiet = false
			idle += now - since
		}
		for i := range evs {
			n, err := u.serve(c.by[evs[i].Fd], evs[i].Events)
			if err != nil {
				return r, err
			}
			r.Done += uint64(n)
		}
		if now >= span && r.Done > 0 {
			if quiet {
				idle += now - since
			}
			r.Elapsed = time.Since(begin)
			r.Idle = float64(idle) / float64(r.Elapsed)
			return r, nil
		}
	}
}
