package looptest

import (
	"testing"

	"github.com/millrace/millrace/loop"
)

// Option adapts the suite to a System.
type Option uint8

const (
	// Virtual: time moves only in Wait and everything happens on one goroutine. Stories with a second
	// goroutine are skipped.
	Virtual Option = iota + 1
	// NoAbstract: there is no abstract Unix namespace.
	NoAbstract
)

// Run tells every story on a System of its own. newSystem may register clean-ups with its t; the suite
// shuts each System down.
func Run(t *testing.T, newSystem func(t *testing.T) loop.System, options ...Option) {
	has := func(o Option) bool {
		for _, x := range options {
			if x == o {
				return true
			}
		}
		return false
	}
	groups := []struct {
		name    string
		stories []story
	}{
		{"poller", pollerStories}, {"streams", streamStories}, {"ends", endStories},
		{"turn", turnStories}, {"timers", timerStories}, {"reentry", reentryStories},
		{"panics", panicStories}, {"driver", driverStories}, {"files", fileStories},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, s := range g.stories {
				t.Run(s.name, func(t *testing.T) {
					if s.threads && has(Virtual) {
						t.Skip("needs a second goroutine, and this System has a virtual clock")
					}
					r := newRig(t, newSystem(t))
					r.abstract = !has(NoAbstract)
					s.tell(r)
				})
			}
		})
	}
}
