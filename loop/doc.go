// Package loop is the reactor: it calls the owner of each descriptor, timer, task and posted function when there is
// work for it, on one thread.
//
// A Loop waits for readiness, deadlines and posted functions and calls the objects that own them: a Handler through
// its Source, an Expirer through its Timer, a Runner through its Task. Source, Timer and Task are embedded in their
// owners, so an event allocates nothing. The steps of a turn are: wait, read the clock, run posted functions, due
// timers, ready sources, tasks, and Config.AfterTurn.
//
// The package handles descriptors and time. It does not read or write connections (wsi does, through Loop.System),
// and it knows no protocol. System is the interface to the kernel: NewSystem returns the real one (epoll on Linux,
// kqueue on the BSDs and darwin; the kqueue code is cross-compiled but not run in tests), and package sim implements
// one in memory. All methods are called on the loop's goroutine, except Post, Stop, Poisoned, Done, OnThread and
// IsDriver, which any goroutine may call. A panic in a callback is not recovered; it poisons the loop.
package loop
