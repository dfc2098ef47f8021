package loop

import "golang.org/x/sys/unix"

// threadID names the caller's OS thread.
func threadID() int64 { return int64(unix.Gettid()) }
