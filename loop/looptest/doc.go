// Package looptest is the conformance suite of loop.System, and of a loop.Loop that turns on one: it
// answers whether a kernel, real or in memory, behaves as everything above package loop expects.
//
// Run takes a function that makes Systems. Each story makes its own, connects it with itself over
// 127.0.0.1 or a Unix socket, and looks at what comes. No story sleeps or asks for the wall clock; time
// passes in Wait, so a virtual clock serves as well as a real one. Stories that need a second
// goroutine are left out with the option Virtual.
//
// What only one kernel can show (stale socket files, dual-stack sockets, embedding in another loop)
// is tested beside its code, not here.
package looptest
