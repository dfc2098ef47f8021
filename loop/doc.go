// Package loop is the reactor: it answers when something may be done, on one thread.
//
// A Loop waits for readiness, deadlines and posted functions and calls the objects that own them:
// a Handler by way of its Source, an Expirer by way of its Timer, a Runner by way of its Task. These
// three are embedded in their owners, so nothing is allocated per event. A turn goes: wait, read the
// time, posted functions, due timers, ready sources, tasks, Config.AfterTurn.
//
// The package knows descriptors and time. It neither reads nor writes connections (wsi does, through
// Loop.System), nor does it know protocols. System is the kernel it stands on: NewSystem is the real
// one (epoll on Linux, kqueue on the BSDs and darwin; the latter are cross-built, not run), package sim
// has another in memory. Everything is called from the loop's goroutine, apart from Post, Stop and
// Poisoned, which are for all. A panic in a callback is not recovered; it poisons the loop.
package loop
