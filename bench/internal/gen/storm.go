package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
	"github.com/millrace/millrace/bench/internal/sys"
)

// Gale is a storm: Clients connect to Addr at once, each makes one request and stays connected until
// the end, while one client that was there before keeps requesting.
type Gale struct {
	Addr     netip.AddrPort
	Clients  int
	Size     int           // of one answer, as Probe found it
	Calm     time.Duration // how long the established client is timed before the storm
	Patience time.Duration // how long the storm may last
}

// Storminess is what a Gale did. Lost counts the clients without a correct answer; Why is the first
// reason. Before and During are the established client's latencies; During leaves out the stretches
// in which the storm stood still (waiting for a retransmitted SYN), which would flatter it.
type Storminess struct {
	Before, During *stat.Histogram
	Elapsed        time.Duration // from the first connect to the last answer
	Lost           int
	Why            error
}

// lull is how long after its last progress a storm still counts as blowing.
const lull = 10 * time.Millisecond

// Storm runs a Gale from the caller's locked thread. The established client's socket is looked at
// after every single call made for the storm, so that the generator delays it by one call at most,
// and waits of the client are the server's doing.
func Storm(g Gale) (Storminess, error) {
	c, err := open(g.Addr, 1, unix.EPOLLIN, false)
	if err != nil {
		return Storminess{}, err
	}
	defer c.close()
	s := storm{crowd: c, pin: httpPinger(1, g.Size)}
	s.steady = c.all[0]
	if err := s.pin.ask(s.steady); err != nil {
		return Storminess{}, err
	}
	for begin := time.Now(); time.Since(begin) < g.Calm; {
		if err := s.look(false); err != nil {
			return Storminess{}, fmt.Errorf("gen: storm: established client, before: %v: %w", g.Addr, err)
		}
	}
	out := Storminess{Before: s.pin.hist, During: new(stat.Histogram)}
	s.pin.hist = out.During
	begin := time.Now()
	err = s.blow(g)
	if err != nil {
		return Storminess{}, fmt.Errorf("gen: storm: established client, during: %v: %w", g.Addr, err)
	}
	out.Elapsed = s.progress.Sub(begin)
	out.Lost, out.Why = g.Clients-s.answered, s.why
	if out.Lost > 0 && out.Why == nil {
		out.Why = fmt.Errorf("no answer within %v", g.Patience)
	}
	return out, nil
}

type storm struct {
	*crowd
	pin      *pinger
	steady   *conn
	progress time.Time // when the storm last got somewhere
	settled  int       // clients that are answered or lost
	answered int
	why      error
}

// blow dials all clients as fast as it can and then serves them until all are settled.
func (s *storm) blow(g Gale) error {
	begin := time.Now()
	s.progress = begin
	for i := range g.Clients {
		fd, err := sys.Dial(source(i), g.Addr)
		if err == nil {
			s.add(fd)
			err = s.poll.Add(fd, unix.EPOLLIN|unix.EPOLLOUT)
		}
		if err != nil {
			s.lose(err)
		}
		s.progress = time.Now()
		if err := s.look(true); err != nil {
			return err
		}
	}
	for s.settled < g.Clients && time.Since(begin) < g.Patience {
		evs, err := s.poll.Look()
		if err != nil {
			return err
		}
		for i := range evs {
			if k := s.by[evs[i].Fd]; k != s.steady {
				s.client(k, evs[i].Events)
			}
			if err := s.look(true); err != nil {
				return err
			}
		}
		if err := s.look(true); err != nil {
			return err
		}
	}
	return nil
}

// look gives the established client its turn. While the storm stands still its latencies do not count.
func (s *storm) look(blowing bool) error {
	full, err := s.pin.read(s.steady)
	if err != nil || !full {
		return err
	}
	now := time.Now()
	if !blowing || now.Sub(s.progress) < lull {
		s.pin.hist.Add(now.Sub(s.pin.base) - time.Duration(s.steady.at))
	}
	return s.pin.ask(s.steady)
}

// stage is how far a client of the storm has come.
type stage uint8

const (
	connecting stage = iota
	asked
	answered // and to stay connected
	lost
)

// client moves one client of the storm on.
func (s *storm) client(k *conn, events uint32) {
	var err error
	switch k.stage {
	case connecting:
		if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
			return
		}
		if err = sys.Connected(k.fd); err == nil {
			k.stage = asked
			err = s.pin.ask(k)
		}
	case asked:
		var full bool
		if full, err = s.pin.read(k); full {
			k.stage = answered
			s.answered++
			s.settled++
		}
	case answered:
		// Nothing but the end of the connection can come now: the server has shed it.
		if _, err = s.pin.read(k); err != nil {
			s.answered--
			s.settled--
		}
	case lost:
		return
	}
	s.progress = time.Now()
	if err != nil {
		k.stage = lost
		s.lose(err)
	}
}

func (s *storm) lose(err error) {
	s.settled++
	if s.why == nil {
		s.why = err
	}
}
