//go:build !race

package ss_test

const poolsLeak = false
