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

// socketFile identifies the file of a Unix socket, so that only our own file is ever removed. The open socket keeps
// the inode number in use.
type socketFile struct {
	path string
	info os.FileInfo
}

// listenUnix listens at a path. It removes the file that a dead server left there. It never removes the file of a
// live server, or a file that is not a socket. Between bind and listen a live server is indistinguishable from a dead
// one, so the whole sequence runs under the path's lock: of several servers that start at the same time, one listens
// and the others get EADDRINUSE.
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
		if err := os.Chmod(path, os.FileMode(o.Mode).Perm()); err != nil { // before listen, so that no client can connect with the wrong mode
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

// removeFile removes the file of the listening socket fd, if there is one and it is still the same file.
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
	// lockPatience is how long a listener waits for other listeners that start in the same directory; each needs a
	// fraction of a millisecond. A lock that is kept for longer has another purpose.
	lockPatience = 500 * time.Millisecond
	lockPause    = time.Millisecond
	// removePatience is the wait of a listener that closes. Without the lock it still checks and removes the file.
	removePatience = 20 * time.Millisecond
)

// lockPath acquires the lock under which our processes and threads open and remove the socket at path, and returns
// the function that releases it. The lock is an flock on the directory, which leaves no file there. If the directory
// cannot be opened, or is locked for another purpose (as a sign to cleaners of temporary files), a lock file beside
// the path is used if file is true; that needs no more permissions than bind does. If neither works, there is no
// lock.
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

// flock locks fd and reports whether it succeeded. It polls, since a lock that is never released must not block the
// loop.
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
