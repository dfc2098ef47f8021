package gen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Shake is Workers clients that repeatedly connect, do a handshake, send close_notify and wait for the server to close.
// The server's close shows that it has accepted the handshake: a ticket does not, since Go's servers send it
// before they read the client's Finished.
type Shake struct {
	Addr    netip.AddrPort
	Workers int
	Group   tls.CurveID // the first offered group
	Resume  bool        // with the ticket of one full handshake before the measurement
}

// Handshakes measures a Shake; Result.Done counts handshakes, Result.Idle is 1 less this process's share
// of a core. The clients are goroutines with unmodified crypto/tls. group is the negotiated group.
func Handshakes(s Shake, w Window) (r Result, group tls.CurveID, err error) {
	sh := shaker{Shake: s}
	sh.config = clientTLS(&sh.ticket)
	sh.ticket.keep = s.Resume
	sh.config.CurvePreferences = []tls.CurveID{s.Group}
	if s.Group != tls.X25519 {
		// A server without the group uses one that all servers support.
		sh.config.CurvePreferences = append(sh.config.CurvePreferences, tls.X25519)
	}
	if group, err = sh.first(); err == nil {
		r, err = sh.run(w)
	}
	if err != nil {
		return Result{}, 0, fmt.Errorf("gen: handshakes: %v: %w", s.Addr, err)
	}
	return r, group, nil
}

type shaker struct {
	Shake
	config *tls.Config
	ticket ticket
	done   atomic.Uint64
	over   atomic.Bool
}

// first does a full handshake and, for resumption, a request: the ticket has arrived before its response.
func (s *shaker) first() (tls.CurveID, error) {
	raw, c, err := s.connect()
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	if s.Resume {
		if _, err := io.WriteString(c, Request); err != nil {
			return 0, err
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return 0, err
		}
		if s.ticket.is == nil {
			return 0, errors.New("the server gave no ticket")
		}
	}
	return c.ConnectionState().CurveID, nil
}

// connect is the repeated part, without the close.
func (s *shaker) connect() (*net.TCPConn, *tls.Conn, error) {
	d := net.Dialer{Timeout: stall}
	conn, err := d.Dial("tcp4", s.Addr.String())
	if err != nil {
		return nil, nil, err
	}
	raw := conn.(*net.TCPConn)
	err = raw.SetLinger(0) // a reset: no TIME_WAIT
	if err == nil {
		err = raw.SetDeadline(time.Now().Add(stall))
	}
	c := tls.Client(raw, s.config)
	if err == nil {
		err = c.Handshake()
	}
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	return raw, c, nil
}

// one does one handshake, from connect to close.
func (s *shaker) one() error {
	raw, c, err := s.connect()
	if err != nil {
		return err
	}
	defer raw.Close()
	if got := c.ConnectionState().DidResume; got != s.Resume {
		return fmt.Errorf("got resumed %v, want %v", got, s.Resume)
	}
	if err := c.CloseWrite(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return fmt.Errorf("wait for the server to close: %w", err)
	}
	return nil
}

// run runs the workers for warm-up and window, and stops them.
func (s *shaker) run(w Window) (r Result, err error) {
	var wg sync.WaitGroup
	errs := make(chan error, s.Workers)
	for range s.Workers {
		wg.Go(func() {
			for !s.over.Load() {
				if err := s.one(); err != nil {
					errs <- err
					return
				}
				s.done.Add(1)
			}
		})
	}
	defer func() {
		s.over.Store(true)
		wg.Wait()
	}()
	if err := pause(w.Warm, errs); err != nil {
		return r, err
	}
	begin, done, own := time.Now(), s.done.Load(), ownCPU()
	before, err := w.CPU()
	if err != nil {
		return r, err
	}
	// A window without a handshake has no figures.
	for first := true; first || s.done.Load() == done; first = false {
		if err := pause(w.Span, errs); err != nil {
			return r, err
		}
	}
	after, err := w.CPU()
	if err != nil {
		return r, err
	}
	r.Done, r.Elapsed, r.CPU = s.done.Load()-done, time.Since(begin), after-before
	r.Idle = max(0, 1-float64(ownCPU()-own)/float64(r.Elapsed))
	return r, nil
}

// pause waits for d, or until a worker fails.
func pause(d time.Duration, errs <-chan error) error {
	select {
	case err := <-errs:
		return err
	case <-time.After(d):
		return nil
	}
}

// ownCPU returns the processor time of this process so far.
func ownCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// ticket is a session cache that stores the first session, if it may store any, and always returns it.
type ticket struct {
	keep bool
	is   *tls.ClientSessionState
}

// Get implements tls.ClientSessionCache.
func (t *ticket) Get(string) (*tls.ClientSessionState, bool) { return t.is, t.is != nil }

// Put implements tls.ClientSessionCache.
func (t *ticket) Put(_ string, s *tls.ClientSessionState) {
	if t.keep && t.is == nil {
		t.is = s
	}
}
