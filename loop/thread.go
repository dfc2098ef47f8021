package loop

// WatchThread makes the loop record the OS thread that drives it, for OnThread. Run locks its goroutine to its thread; a
// caller of Service must do the same (runtime.LockOSThread), or the goroutine may change threads between two calls. It
// costs a system call per Service. Call it before the first turn.
func (l *Loop) WatchThread() { l.watchThread = true }

// OnThread reports whether the caller is on the thread that drives the loop. It may be called from any goroutine. It is
// true as well when that is not known: without WatchThread, before the first turn, after Run has returned, and on systems
// other than Linux.
func (l *Loop) OnThread() bool {
	t := l.thread.Load()
	return t == 0 || t == threadID()
}

// IsDriver reports whether the caller is known to be on the thread that drives the loop, where a call that waits for the
// loop would wait without end. It may be called from any goroutine. It is false when that is not known: see OnThread.
func (l *Loop) IsDriver() bool {
	t := l.thread.Load()
	return t != 0 && t == threadID()
}

// drivenHere notes that the caller's thread drives the loop.
func (l *Loop) drivenHere() {
	if l.watchThread {
		l.thread.Store(threadID())
	}
}
