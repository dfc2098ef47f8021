//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// poller is kqueue. Both filters of a descriptor are registered once with EV_CLEAR. They report separately, so Wait
// may return a token twice. The generation is stored here and not in the event's udata, which is a pointer that the
// garbage collector may inspect.
type poller struct {
	kq    int
	pipe  [2]int      // a byte written to [1] makes [0] readable and wakes Wait
	woken atomic.Bool // written and not yet read
	gens  []uint32    // by descriptor
	raw   []unix.Kevent_t
}

func (p *poller) open() error {
	var err error
	if p.kq, err = unix.Kqueue(); err != nil {
		return os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(p.kq)
	if err = unix.Pipe(p.pipe[:]); err != nil {
		unix.Close(p.kq)
		return os.NewSyscallError("pipe", err)
	}
	for _, fd := range p.pipe {
		unix.CloseOnExec(fd)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
	}
	if err == nil {
		err = p.change(p.pipe[0], unix.EV_ADD|unix.EV_CLEAR, unix.EVFILT_READ)
	}
	if err != nil {
		p.close()
		return os.NewSyscallError("kevent", err)
	}
	return nil
}

func (p *poller) close() error {
	err := unix.Close(p.kq)
	unix.Close(p.pipe[0])
	unix.Close(p.pipe[1])
	return err
}

func (p *poller) change(fd, flags int, filters ...int) error {
	var c [2]unix.Kevent_t
	for i, f := range filters {
		unix.SetKevent(&c[i], fd, f, flags)
	}
	for {
		_, err := unix.Kevent(p.kq, c[:len(filters)], nil, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// Add implements Poller.
func (p *poller) Add(fd FD, t Token) error {
	for int(fd) >= len(p.gens) {
		p.gens = append(p.gens, 0)
	}
	p.gens[fd] = t.Gen()
	return p.change(int(fd), unix.EV_ADD|unix.EV_CLEAR, unix.EVFILT_READ, unix.EVFILT_WRITE)
}

// Remove implements Poller.
func (p *poller) Remove(fd FD) {
	_ = p.change(int(fd), unix.EV_DELETE, unix.EVFILT_READ)
	_ = p.change(int(fd), unix.EV_DELETE, unix.EVFILT_WRITE)
}

// PollFD implements Poller.
func (p *poller) PollFD() FD { return FD(p.kq) }

// Wake implements Poller. It uses a pipe, which works on all systems: NetBSD and DragonFly got EVFILT_USER late and
// OpenBSD does not have it.
func (p *poller) Wake() {
	if p.woken.CompareAndSwap(false, true) {
		_, _ = unix.Write(p.pipe[1], []byte{0})
	}
}

// Wait implements Poller. It does not poll before a wait that may block: kevent through package unix costs the same
// either way.
func (p *poller) Wait(ev []Event, timeout time.Duration) (int, error) {
	if len(ev) == 0 {
		return 0, unix.EINVAL
	}
	if len(p.raw) < len(ev) {
		p.raw = make([]unix.Kevent_t, len(ev))
	}
	var at *unix.Timespec
	if timeout >= 0 {
		// Some systems reject more than a hundred million seconds. One day is enough.
		ts := unix.NsecToTimespec(int64(min(timeout, 24*time.Hour)))
		at = &ts
	}
	n, err := unix.Kevent(p.kq, nil, p.raw[:len(ev)], at)
	if err == unix.EINTR {
		n, err = 0, nil // the loop checks its timers and waits for the rest
	}
	if err != nil {
		return 0, os.NewSyscallError("kevent", err)
	}
	k := 0
	for i := range p.raw[:n] {
		r := &p.raw[i]
		fd := int(r.Ident)
		if fd == p.pipe[0] {
			// Read the byte first, then clear the flag. A Wake in between writes nothing, but this Wait returns anyway. In the
			// other order its byte could be consumed here.
			var b [8]byte
			_, _ = unix.Read(fd, b[:])
			p.woken.Store(false)
			continue
		}
		ev[k] = Event{MakeToken(FD(fd), p.gens[fd]), keventReady(r)}
		k++
	}
	return k, nil
}

// keventReady translates the flags of one filter. EV_EOF on the write filter may be caused by our own shutdown of
// that direction; only an error code with it means that the connection is broken.
func keventReady(r *unix.Kevent_t) (ready Ready) {
	end := r.Flags&unix.EV_EOF != 0
	switch r.Filter {
	case unix.EVFILT_READ:
		ready = Readable
		if end {
			ready |= HangUp
		}
	case unix.EVFILT_WRITE:
		ready = Writable
	}
	if end && r.Fflags != 0 {
		ready |= Readable | Writable | Broken | Failed
	}
	return ready
}
