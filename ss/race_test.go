//go:build race

package ss_test

// poolsLeak: with the race detector sync.Pool drops some objects.
const poolsLeak = true
