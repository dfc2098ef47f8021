package sim

import (
	"fmt"
	"syscall"

	"github.com/millrace/millrace/loop"
)

// SocketError returns and clears the pending error.
func (h *Host) SocketError(fd loop.FD) syscall.Errno {
	h.calls.Other++
	e := syscall.Errno(syscall.EBADF)
	if s := h.at(fd); s != nil {
		e, s.err = s.err, 0
	}
	h.note(opSocketError, fd, 0, e, nil)
	return e
}

// SetOptions stores o for SocketOptions. The buffer sizes and keepalive take effect.
func (h *Host) SetOptions(fd loop.FD, o loop.SocketOptions) error {
	h.calls.Other++
	s := h.at(fd)
	if s == nil {
		return fmt.Errorf("sim: set options: descriptor %d: %w", fd, syscall.Errno(syscall.EBADF))
	}
	if o.KeepAlive == (loop.KeepAlive{}) { // keep the options that were set or inherited
		o.KeepAlive = s.opts.KeepAlive
	}
	o.UserTimeout = or(o.UserTimeout, s.opts.UserTimeout)
	s.opts = o
	if s.state == open {
		s.probe()
	}
	if s.out != nil && o.SndBuf > 0 {
		s.out.sndBuf = max(o.SndBuf, minBuf)
	}
	if s.in != nil && o.RcvBuf > 0 && !s.unix() {
		s.in.rcvBuf = max(o.RcvBuf, minBuf)
	}
	return nil
}

// SocketOptions returns the options that were set on fd.
func (h *Host) SocketOptions(fd loop.FD) (o loop.SocketOptions, ok bool) {
	if s := h.at(fd); s != nil {
		return s.opts, true
	}
	return o, false
}

// LocalAddr returns the local address. Outgoing Unix sockets have none.
func (h *Host) LocalAddr(fd loop.FD) (loop.Addr, bool) {
	h.calls.Other++
	if s := h.at(fd); s != nil {
		return s.local, true
	}
	return loop.Addr{}, false
}

// PeerAddr returns the peer's address, also after the connection is broken, as on Linux.
func (h *Host) PeerAddr(fd loop.FD) (loop.Addr, bool) {
	h.calls.Other++
	if s := h.at(fd); s != nil && (s.state == open || s.state == closed && s.in != nil) {
		return s.peer, true
	}
	return loop.Addr{}, false
}
