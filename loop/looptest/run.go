package looptest

import (
	"testing"

	"github.com/millrace/millrace/loop"
)

// Option adapts the suite to a System.
type Option uint8

const (
	// Virtual: time passes only in Wait, and all calls come from one goroutine. Scenarios with a second goroutine are
	// skipped.
	Virtual Option = iota + 1
	// NoAbstract: there is no abstract Unix namespace.
	NoAbstract
)

// Run runs every scenario on a new System. newSystem may register cleanups with its t; the suite shuts each System
// down.
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
		name      string
		scenarios []scenario
	}{
		{"poller", pollerScenarios}, {"streams", streamScenarios}, {"ends", endScenarios},
		{"turn", turnScenarios}, {"timers", timerScenarios}, {"reentry", reentryScenarios},
		{"panics", panicScenarios}, {"driver", driverScenarios}, {"files", fileScenarios},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, s := range g.scenarios {
				t.Run(s.name, func(t *testing.T) {
					if s.threads && has(Virtual) {
						t.Skip("needs a second goroutine, and this System has a virtual clock")
					}
					r := newRig(t, newSystem(t))
					r.abstract = !has(NoAbstract)
					s.run(r)
				})
			}
		})
	}
}
