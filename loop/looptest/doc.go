// Package looptest is the conformance suite of loop.System, and of a loop.Loop on a System. It checks that a kernel,
// real or in memory, behaves as all code above package loop expects.
//
// Run takes a function that makes Systems. Each scenario makes its own System, connects it to itself over 127.0.0.1
// or a Unix socket, and checks the results. No scenario sleeps or reads the wall clock; time passes in Wait, so a
// virtual clock works as well as a real one. The option Virtual skips scenarios that need a second goroutine.
//
// Behaviour of one kernel only (stale socket files, dual-stack sockets, embedding in another event loop) is tested in
// the package of that kernel.
package looptest
