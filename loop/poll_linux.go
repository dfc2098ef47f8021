package loop

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is epoll. A wait of zero uses RawSyscall: it cannot block, so the Go scheduler need not know about it. The
// entry that informs the scheduler is slower, and waking up through it may switch threads; so a wait that is probably
// short is raw too, for at most rawWait.
type poller struct {
	ep     int
	wake   int         // an eventfd
	woken  atomic.Bool // written and not yet seen
	coarse bool        // the kernel has no epoll_pwait2, so timeouts are in milliseconds
	brisk  bool        // the last wait that blocked was shorter than rawWait
	raw    []unix.EpollEvent
}

// rawWait limits how long the loop's thread sleeps without the scheduler's knowledge. A stop of the world is not
// delayed, since the runtime's signal ends the sleep. Goroutines that share the loop's processor (all of them with
// GOMAXPROCS=1) wait for it, but no longer than the 10 ms after which the runtime preempts any goroutine.
const rawWait = 200 * time.Microsecond

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

// Remove implements Poller. close would do the same, but not while a duplicate of the descriptor exists, as in a
// child process between fork and exec.
func (p *poller) Remove(fd FD) {
	var ev unix.EpollEvent // kernels before 2.6.9 require a pointer
	_ = unix.EpollCtl(p.ep, unix.EPOLL_CTL_DEL, int(fd), &ev)
}

// PollFD implements Poller.
func (p *poller) PollFD() FD { return FD(p.ep) }

// Wake implements Poller. The eventfd is edge-triggered and each write is an edge, so it is never read: its counter
// would overflow in some ten thousand years.
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
	n, err := p.wait(len(ev), timeout)
	if err != nil {
		return 0, os.NewSyscallError("epoll_pwait", err)
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

// wait fills p.raw. While waits are short it makes one system call: a raw one for a limited time. When such a wait
// finds nothing, a second call blocks, and later waits first poll for ready descriptors until a wait is short again.
func (p *poller) wait(max int, timeout time.Duration) (n int, err error) {
	bounded := p.brisk && timeout != 0 && !p.coarse
	if bounded {
		n, err = p.waitRaw(max, timeout)
	} else {
		n, err = p.poll(max)
	}
	if n > 0 || err != nil || timeout == 0 {
		return n, err
	}
	if bounded && timeout > 0 {
		if timeout -= rawWait; timeout <= 0 {
			return 0, nil
		}
	}
	start := time.Now()
	n, err = p.block(max, timeout)
	p.brisk = n > 0 && time.Since(start) < rawWait
	return n, err
}

// waitRaw waits for at most rawWait. A signal ends it early: the runtime may want to stop this thread, so the caller
// continues with block, which informs the scheduler.
func (p *poller) waitRaw(max int, timeout time.Duration) (int, error) {
	ts := timespec64{0, int64(rawWait)}
	if timeout > 0 {
		ts.nsec = int64(min(timeout, rawWait))
	}
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.ep), uintptr(unsafe.Pointer(&p.raw[0])),
		uintptr(max), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch e {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, e
}

// poll returns the descriptors that are ready now.
func (p *poller) poll(max int) (int, error) {
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

// block waits. A signal ends it early with no event: the loop finds that no timer is due and waits for the rest.
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
		// Sandboxes return EPERM for system calls that they do not know.
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

// milliseconds rounds up: waking up a moment too early would spin until that moment has passed. Waits too long for
// epoll's int are shortened, which costs one turn every three weeks.
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
