//go:build !linux

package loop

// threadID is 0: there is no portable way to ask.
func threadID() int64 { return 0 }
