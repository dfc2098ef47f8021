// Package sys answers: how do we reach the kernel without paying for Go's scheduler?
//
// It holds the handful of socket calls that the generator and the limit server live on: read, write
// and accept on nonblocking sockets and a look at epoll, all through unix.RawSyscall on the caller's
// own locked thread, and one blocking wait through the ordinary entry. It retries EINTR and nothing
// else; every other errno goes to the caller, unix.EAGAIN included. It parses nothing, buffers nothing
// and counts nothing. Descriptors belong to the caller, who closes them. Linux only.
package sys
