//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package loop

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketFile identifies the file of a Unix socket, so that only our own is ever removed. The socket keeps the file's
// number in use for as long as it is open.
type socketFile struct {
	path string
	info os.FileInfo
}

// listenUnix listens at a path. The file that a dead server left there is in the way and is removed; a live server's,
// or anything that is not a socket, never is. Between bind and listen a live server looks like a dead one, so all of
// this happens under the path's lock: of several that start at one time, one listens and the others find the address
// in use.
func (k *kernel) listenUnix(fd int, path string, sa unix.Sockaddr, o ListenOptions, backlog int) error {
	if path[0] == '@' {
		if err := unix.Bind(fd, sa); err != nil {
			return err
		}
		return unix.Listen(fd, backlog)
	}
	unlock := lockPath(path, lockPatience, true)
	defer unlock()
	err := unix.Bind(fd, sa)
	if err == unix.EADDRINUSE && abandoned(path, sa) {
		if err = os.Remove(path); err == nil || errors.Is(err, os.ErrNotExist) {
			err = unix.Bind(fd, sa)
		}
	}
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if k.files == nil {
		k.files = make(map[FD]socketFile)
	}
	k.files[FD(fd)] = socketFile{strings.Clone(path), info}
	if o.Mode != 0 {
		if err := os.Chmod(path, os.FileMode(o.Mode).Perm()); err != nil { // before listen, so that no client connects earlier
			return err
		}
	}
	return unix.Listen(fd, backlog)
}

// abandoned reports whether path is a socket without a listener.
func abandoned(path string, sa unix.Sockaddr) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	probe, err := streamSocket(unix.AF_UNIX)
	if err != nil {
		return false
	}
	defer unix.Close(probe)
	return unix.Connect(probe, sa) == syscall.Errno(unix.ECONNREFUSED)
}

// removeFile removes the file of the listening socket fd, if it has one and it is still the same.
func (k *kernel) removeFile(fd FD) {
	f, ok := k.files[fd]
	if !ok {
		return
	}
	delete(k.files, fd)
	unlock := lockPath(f.path, removePatience, false)
	defer unlock()
	if info, err := os.Lstat(f.path); err == nil && os.SameFile(info, f.info) {
		_ = os.Remove(f.path)
	}
}

const (
	// lockPatience is how long a listener waits for others that are about to listen in the same directory, each for
	// a fraction of a millisecond. Whoever holds the lock longer is no such one.
	lockPatience = 500 * time.Millisecond
	lockPause    = time.Millisecond
	// removePatience is the same for a listener that closes: without the lock it looks and removes all the same.
	removePatience = 20 * time.Millisecond
)

// lockPath takes the lock under which processes and threads of ours open and remove the socket at path, and returns
// what gives it back. The lock is one on the directory (flock), which leaves no file behind. If the directory cannot be
// opened, or is locked for another purpose as those are that a cleaner of temporary files shall pass over, a
// file beside the path takes its place if the caller wants one; bind needs no more rights than that. Without either
// there is no lock.
func lockPath(path string, patience time.Duration, file bool) (unlock func()) {
	if fd, err := unix.Open(filepath.Dir(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		if flock(fd, patience) {
			return func() { unix.Close(fd) }
		}
		unix.Close(fd)
	}
	if !file {
		return func() {}
	}
	fd, err := unix.Open(path+".lock", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return func() {}
	}
	flock(fd, patience)
	return func() { unix.Close(fd) }
}

// flock locks fd, and reports whether it has. It waits by looking again, since a lock that is never given back must not
// hold up the loop.
func flock(fd int, patience time.Duration) bool {
	for {
		switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return true
		case err != unix.EWOULDBLOCK && err != unix.EINTR || patience <= 0:
			return false
		}
		_, _ = unix.Poll(nil, int(lockPause/time.Millisecond))
		patience -= lockPause
	}
}
