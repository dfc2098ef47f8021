package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vector is the argument of sendmsg. It is part of the System, so that a call allocates nothing.
type vector struct {
	iov [MaxVector]unix.Iovec
	msg unix.Msghdr
}

// Writev implements Sockets. It uses sendmsg with MSG_NOSIGNAL: see Write.
func (k *kernel) Writev(fd FD, p [][]byte) (int, syscall.Errno) {
	v := &k.vector
	count := 0
	for _, b := range p {
		if len(b) > 0 {
			v.iov[count].Base = unsafe.SliceData(b)
			v.iov[count].SetLen(len(b))
			count++
		}
	}
	v.msg.Iov = &v.iov[0]
	v.msg.SetIovlen(count)
	n, e := v.send(fd, count)
	clear(v.iov[:count]) // drop the references to the caller's memory
	return n, e
}

func (v *vector) send(fd FD, count int) (int, syscall.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msg)), unix.MSG_NOSIGNAL)
		if e == unix.ENOTSOCK { // a pipe or a terminal
			n, _, e = unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v.iov[0])), uintptr(count))
		}
		if e == 0 {
			return int(n), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}
