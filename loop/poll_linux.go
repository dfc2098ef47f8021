package loop

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is epoll. A look goes through RawSyscall: it cannot block, so the scheduler need not hear of
// it. Only a wait that found nothing to look at takes the ordinary, dearer entry.
type poller struct {
	ep     int
	wake   int         // an eventfd
	woken  atomic.Bool // written and not yet seen
	coarse bool        // the kernel has no epoll_pwait2: milliseconds
	raw    []unix.EpollEvent
}

// timespec64 is the kernel's __kernel_timespec: 64 bits in both fields on every architecture.
type timespec64 struct{ sec, nsec int64 }

// wakeGen marks the eventfd's events. The loop gives no source the generation 0.
const wakeGen = 0

func (p *poller) open() error {
	var err error
	if p.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(p.ep)
		return os.NewSyscallError("eventfd", err)
	}
	if err = p.Add(FD(p.wake), MakeToken(FD(p.wake), wakeGen)); err != nil {
		p.close()
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

func (p *poller) close() error {
	err := unix.Close(p.ep)
	unix.Close(p.wake)
	return err
}

// Add implements Poller.
func (p *poller) Add(fd FD, t Token) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff,
		Fd:     int32(fd),
		Pad:    int32(t.Gen()),
	}
	return unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, int(fd), &ev)
}

// Remove implements Poller. Closing would do the same, but not while a duplicate of the descriptor
// lives, as it does in a child between fork and exec.
func (p *poller) Remove(fd FD) {
	var ev unix.EpollEvent // kernels before 2.6.9 want one
	_ = unix.EpollCtl(p.ep, unix.EPOLL_CTL_DEL, int(fd), &ev)
}

// PollFD implements Poller.
func (p *poller) PollFD() FD { return FD(p.ep) }

// Wake implements Poller. The eventfd is edge-triggered, each write is an edge, and so nobody ever has
// to read it: its counter would overflow in some ten thousand years.
func (p *poller) Wake() {
	if p.woken.CompareAndSwap(false, true) {
		one := uint64(1)
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.wake), uintptr(unsafe.Pointer(&one)), 8)
	}
}

// Wait implements Poller.
func (p *poller) Wait(ev []Event, timeout time.Duration) (int, error) {
	if len(ev) == 0 {
		return 0, unix.EINVAL
	}
	if len(p.raw) < len(ev) {
		p.raw = make([]unix.EpollEvent, len(ev))
	}
	n, err := p.look(len(ev))
	if err != nil {
		return 0, os.NewSyscallError("epoll_pwait", err)
	}
	if n == 0 && timeout != 0 {
		if n, err = p.block(len(ev), timeout); err != nil {
			return 0, os.NewSyscallError("epoll_pwait", err)
		}
	}
	k := 0
	for i := range p.raw[:n] {
		r := &p.raw[i]
		if r.Pad == wakeGen && int(r.Fd) == p.wake {
			p.woken.Store(false)
			continue
		}
		ev[k] = Event{MakeToken(FD(r.Fd), uint32(r.Pad)), epollReady(r.Events)}
		k++
	}
	return k, nil
}

func (p *poller) look(max int) (int, error) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.ep), uintptr(unsafe.Pointer(&p.raw[0])),
			uintptr(max), 0, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// block waits. A signal ends it early with nothing: the loop finds that its timers are not due and
// waits for the rest.
func (p *poller) block(max int, timeout time.Duration) (int, error) {
	var n uintptr
	var e unix.Errno
	if !p.coarse {
		ts := timespec64{int64(timeout / time.Second), int64(timeout % time.Second)}
		at := &ts
		if timeout < 0 {
			at = nil
		}
		n, _, e = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.ep), uintptr(unsafe.Pointer(&p.raw[0])),
			uintptr(max), uintptr(unsafe.Pointer(at)), 0, 0)
		// Sandboxes answer EPERM for calls they have not heard of.
		p.coarse = e == unix.ENOSYS || e == unix.EPERM
	}
	if p.coarse {
		n, _, e = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.ep), uintptr(unsafe.Pointer(&p.raw[0])),
			uintptr(max), uintptr(milliseconds(timeout)), 0, 0)
	}
	switch e {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, e
}

// milliseconds rounds up: waking a moment early would spin until the moment has passed. Waits too long
// for epoll's int are cut, which only costs a turn every three weeks.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	n := d / time.Millisecond
	if d%time.Millisecond != 0 {
		n++
	}
	return int(min(n, 1<<31-1))
}

func epollReady(ev uint32) (r Ready) {
	if ev&unix.EPOLLIN != 0 {
		r |= Readable
	}
	if ev&unix.EPOLLOUT != 0 {
		r |= Writable
	}
	if ev&unix.EPOLLRDHUP != 0 {
		r |= Readable | HangUp
	}
	if ev&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= Readable | Writable | Broken
	}
	if ev&unix.EPOLLERR != 0 {
		r |= Failed
	}
	return r
}
