package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
	"github.com/millrace/millrace/bench/internal/sys"
)

// StormLoad describes a storm: Clients connect to Addr at once, each sends one request and stays connected until
// the end, while one client with an older connection sends requests continuously.
type StormLoad struct {
	Addr     netip.AddrPort
	Clients  int
	Size     int           // of one response, as returned by Probe
	Calm     time.Duration // duration of the established client's measurement before the storm
	Patience time.Duration // time limit of the storm
}

// StormResult is the result of a storm. Lost counts the clients without a correct response; Why is the first
// reason. Before and During are the established client's latencies; During omits the periods without progress
// of the storm (waits for a retransmitted SYN), which would lower it.
type StormResult struct {
	Before, During *stat.Histogram
	Elapsed        time.Duration // from the first connect to the last response
	Lost           int
	Why            error
}

// lull is how long after its last progress a storm still counts as active.
const lull = 10 * time.Millisecond

// Storm runs a StormLoad on the caller's locked thread. It polls the established client's socket
// after every system call for the storm, so that the generator delays that client by one call at most,
// and longer waits are caused by the server.
func Storm(g StormLoad) (StormResult, error) {
	c, err := open(g.Addr, 1, unix.EPOLLIN, false)
	if err != nil {
		return StormResult{}, err
	}
	defer c.close()
	s := storm{connSet: c, pin: httpPinger(1, g.Size)}
	s.steady = c.all[0]
	if err := s.pin.ask(s.steady); err != nil {
		return StormResult{}, err
	}
	for begin := time.Now(); time.Since(begin) < g.Calm; {
		if err := s.look(false); err != nil {
			return StormResult{}, fmt.Errorf("gen: storm: established client, before: %v: %w", g.Addr, err)
		}
	}
	out := StormResult{Before: s.pin.hist, During: new(stat.Histogram)}
	s.pin.hist = out.During
	begin := time.Now()
	err = s.blow(g)
	if err != nil {
		return StormResult{}, fmt.Errorf("gen: storm: established client, during: %v: %w", g.Addr, err)
	}
	out.Elapsed = s.progress.Sub(begin)
	out.Lost, out.Why = g.Clients-s.answered, s.why
	if out.Lost > 0 && out.Why == nil {
		out.Why = fmt.Errorf("no response within %v", g.Patience)
	}
	return out, nil
}

type storm struct {
	*connSet
	pin      *pinger
	steady   *conn
	progress time.Time // time of the storm's last progress
	settled  int       // clients with a response, or lost
	answered int
	why      error
}

// blow dials all clients as fast as it can and then serves them until each has a response or is lost.
func (s *storm) blow(g StormLoad) error {
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

// look serves the established client. Its latencies do not count while the storm makes no progress.
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

// stage is the state of a client of the storm.
type stage uint8

const (
	connecting stage = iota
	asked
	answered // stays connected
	lost
)

// client advances one client of the storm.
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
		// An event here can only be the end of the connection: the server has closed it.
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
