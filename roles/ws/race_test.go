//go:build race

package ws

// poolsLeak: the race detector has sync.Pool throw away some of what it is given.
const poolsLeak = true
