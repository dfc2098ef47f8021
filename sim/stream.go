package sim

import (
	"fmt"
	"syscall"

	"github.com/millrace/millrace/loop"
)

// Read reads bytes: see loop.Sockets. After a reset, bytes that had arrived before it are read first.
func (h *Host) Read(fd loop.FD, p []byte) (int, syscall.Errno) {
	h.calls.Reads++
	k, e := h.read(fd, p)
	if e == syscall.EAGAIN {
		h.calls.ReadsEmpty++
	}
	h.note(opRead, fd, k, e, p[:k])
	return k, e
}

func (h *Host) read(fd loop.FD, p []byte) (int, syscall.Errno) {
	s := h.at(fd)
	switch {
	case s == nil:
		return 0, syscall.EBADF
	case s.state == listening:
		return 0, syscall.ENOTCONN
	case len(p) == 0:
		return 0, syscall.EINVAL // reading 0 bytes would look like the end of the stream
	}
	if s.in != nil && s.in.arrived > s.in.read {
		return s.readBytes(p), 0
	}
	s.told &^= loop.Readable
	switch {
	case s.rcvEnded:
		return 0, 0
	case s.err != 0:
		e := s.err
		s.err = 0
		return 0, e
	case s.rcvShut:
		return 0, 0
	}
	return 0, syscall.EAGAIN
}

// readBytes copies the arrived bytes, or a part of them if a fault applies.
func (s *sock) readBytes(p []byte) int {
	n, f := s.h.n, s.in
	there := int(f.arrived - f.read)
	k := min(there, len(p))
	if most := n.opts.ReadMax; most > 0 {
		k = min(k, most)
	}
	if n.roll(n.opts.ShortRead) {
		k = n.part(k)
	}
	f.get(p[:k])
	if k < len(p) {
		s.told &^= loop.Readable
		if k < there {
			s.wake() // the reader assumes that a short read was complete, so the rest is reported as new
		}
	}
	f.onRead()
	return k
}

// Write writes bytes: see loop.Sockets.
func (h *Host) Write(fd loop.FD, p []byte) (int, syscall.Errno) {
	h.calls.Writes++
	k, e := h.write(fd, p)
	if e == syscall.EAGAIN {
		h.calls.WritesBlocked++
	}
	h.note(opWrite, fd, k, e, p[:k])
	return k, e
}

// Writev writes the bytes of all slices like one Write: see loop.Sockets.
func (h *Host) Writev(fd loop.FD, p [][]byte) (int, syscall.Errno) {
	if len(p) > loop.MaxVector {
		panic(fmt.Sprintf("sim: writev: %d slices, at most %d are allowed", len(p), loop.MaxVector))
	}
	h.joined = h.joined[:0]
	for _, b := range p {
		h.joined = append(h.joined, b...)
	}
	return h.Write(fd, h.joined)
}

func (h *Host) write(fd loop.FD, p []byte) (int, syscall.Errno) {
	s := h.at(fd)
	switch {
	case s == nil:
		return 0, syscall.EBADF
	case s.state == listening:
		return 0, syscall.ENOTCONN
	case s.state == connecting:
		return 0, syscall.EAGAIN
	case s.err != 0:
		e := s.err
		s.err = 0
		return 0, e
	case s.sndShut:
		return 0, syscall.EPIPE
	case len(p) == 0:
		return 0, 0
	}
	return s.writeBytes(p)
}

// writeBytes fills the send buffer, repeatedly as long as the link transmits the bytes at once.
func (s *sock) writeBytes(p []byte) (int, syscall.Errno) {
	n, f := s.h.n, s.out
	space := f.space()
	if space <= 0 {
		s.noSpace = true
		s.told &^= loop.Writable
		return 0, syscall.EAGAIN
	}
	most := len(p)
	if m := n.opts.WriteMax; m > 0 {
		most = min(most, m)
	}
	if n.roll(n.opts.ShortWrite) {
		most = n.part(min(most, space))
	}
	k := 0
	for k < most && space > 0 && !s.sndShut {
		size := min(space, most-k)
		f.put(p[k : k+size])
		k += size
		f.pump()
		space = f.space()
	}
	if k < len(p) {
		s.told &^= loop.Writable
		s.noSpace = true
		if f.writable() {
			s.noSpace = false
			s.wake() // there is space after all: a short write must be followed by Writable
		}
	}
	return k, 0
}

// CloseWrite closes this direction: see loop.Sockets.
func (h *Host) CloseWrite(fd loop.FD) syscall.Errno {
	h.calls.Other++
	e := h.closeWrite(fd)
	h.note(opCloseWrite, fd, 0, e, nil)
	return e
}

func (h *Host) closeWrite(fd loop.FD) syscall.Errno {
	s := h.at(fd)
	switch {
	case s == nil:
		return syscall.EBADF
	case s.state != open:
		return syscall.ENOTCONN
	case s.sndShut:
		return 0
	}
	s.sndShut = true
	s.out.ended = true
	s.out.pump()
	s.wake()
	return 0
}

// Close closes the descriptor: see loop.Sockets. With unread bytes it sends a reset, as on Linux (RFC 2525 s.2.17).
func (h *Host) Close(fd loop.FD) {
	h.calls.Closes++
	h.drop(fd, opClose, false)
}

// Abort closes the descriptor and resets the connection.
func (h *Host) Abort(fd loop.FD) {
	h.calls.Closes++
	h.drop(fd, opAbort, true)
}

func (h *Host) drop(fd loop.FD, o op, abort bool) {
	s := h.free(fd)
	if s == nil {
		h.note(o, fd, 0, syscall.EBADF, nil)
		return
	}
	s.gone = true
	if s.state == listening {
		h.closeListener(s)
	} else {
		s.leave(abort)
	}
	h.note(o, fd, 0, 0, nil)
}

// leave closes a socket that has no descriptor any more, as the kernel does.
func (s *sock) leave(abort bool) {
	switch {
	case s.state == connecting, s.in == nil:
		s.finish()
		return
	case s.unix():
		s.leaveUnix()
		return
	}
	unread := s.in.arrived > s.in.read
	s.in.abandonReader()
	switch {
	case s.state == closed:
	case abort || unread:
		s.reset()
	default:
		s.sndShut = true
		s.out.ended = true
		s.out.pump()
		s.releaseIfDelivered()
	}
}

// leaveUnix ends both directions of the peer at once: the Unix domain has no half-closed connections after close.
func (s *sock) leaveUnix() {
	o := s.other
	if s.state == open && o.state != closed {
		if s.in.arrived > s.in.read {
			o.err = syscall.ECONNRESET
		}
		o.rcvShut, o.sndShut, o.state = true, true, closed
		o.wake()
	}
	s.in.abandonReader()
	s.state = closed
}
