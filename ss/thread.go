package ss

import (
	"errors"
	"fmt"
)

// ErrWrongThread: a method of a Handle or Runtime was called from another goroutine than the loop's. It does nothing
// then; loop.Post is the way. It is found out with Config.CheckThread alone.
var ErrWrongThread = errors.New("called from another goroutine than the loop's; use Loop.Post")

// astray reports, with Config.CheckThread, a method that is called on another thread than the loop's. True: it must do
// nothing.
func (r *Runtime) astray(method string) bool {
	return r.cfg.CheckThread && r.strayed(method, "")
}

// strayed is for astray: of a method of the runtime's, or of a handle's if there is a stream type.
func (r *Runtime) strayed(method, streamType string) bool {
	if r.loop.OnThread() {
		return false
	}
	err := fmt.Errorf("ss: Runtime.%s: %w", method, ErrWrongThread)
	if streamType != "" {
		err = fmt.Errorf("ss: Handle.%s: stream type %q: %w", method, streamType, ErrWrongThread)
	}
	if r.cfg.PanicOnIllegal {
		panic(err)
	}
	_ = r.loop.Post(func() { // a loop that has ended has nobody to tell
		r.Counters.WrongThread++
		r.log.Error(err.Error())
	})
	return true
}
