//go:build race

package ss_test

// poolsLeak: the race detector has sync.Pool throw away some of what it is given.
const poolsLeak = true
