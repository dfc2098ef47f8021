//go:build !race

package ws

const poolsLeak = false
