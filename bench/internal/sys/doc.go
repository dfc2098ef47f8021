// Package sys makes socket system calls without the cost of Go's scheduler.
//
// It contains the few socket calls of the generator and the limit server: read, write
// and accept on nonblocking sockets and an epoll poll, all through unix.RawSyscall on the caller's
// locked thread, and one blocking wait through unix.Syscall. It retries only EINTR;
// every other errno goes to the caller, unix.EAGAIN included. It neither parses nor buffers
// nor counts. Descriptors belong to the caller, which closes them. Linux only.
package sys
