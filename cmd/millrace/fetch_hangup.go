package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// errHungUp ends a fetch when the reader of its output, a pipe or a terminal, is gone. A write would report the same,
// but a stream may be silent for hours.
var errHungUp = errors.New("standard output is closed: its reader is gone")

// watchHangup calls gone when the reader of w is gone, if w is a file. stop ends the watch.
func watchHangup(w io.Writer, gone func()) (stop func()) {
	o, ok := w.(*output)
	if !ok {
		return func() {}
	}
	f, ok := o.w.(*os.File)
	if !ok {
		return func() {}
	}
	r, wake, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fds := []unix.PollFd{{Fd: int32(f.Fd())}, {Fd: int32(r.Fd()), Events: unix.POLLIN}}
		for {
			_, err := unix.Poll(fds, -1)
			switch {
			case err == unix.EINTR:
				continue
			case err == nil && fds[1].Revents == 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
				gone()
			}
			return
		}
	}()
	return func() {
		wake.Close()
		<-done
		r.Close()
	}
}
