package ss

import (
	"errors"
	"fmt"
)

// ErrWrongThread: a method of a Handle or Runtime was called from a goroutine other than the loop's. The call did
// nothing; use Runtime.Do or loop.Post. Only Config.CheckThread detects it.
var ErrWrongThread = errors.New("called from a goroutine other than the loop's; use Loop.Post")

// astray reports, with Config.CheckThread, a method that is called on a thread other than the loop's. If it returns
// true, the method must do nothing.
func (r *Runtime) astray(method string) bool {
	return r.cfg.CheckThread && r.strayed(method, "")
}

// strayed is the check of astray, for a method of the runtime, or of a handle if streamType is set.
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
	_ = r.loop.Post(func() { // a closed loop drops the report
		r.Counters.WrongThread++
		r.log.Error(err.Error())
	})
	return true
}
