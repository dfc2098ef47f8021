package sim

import (
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/loop/looptest"
)

// TestConformance runs the kernel's conformance suite on a perfect network and under faults that the contract allows.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"perfect", Options{}},
		{"strict edges", Options{StrictEdges: true}},
		{"shuffled events", Options{ShuffleReady: true}},
		{"calls take time", Options{CallCost: time.Microsecond}},
		{"late readiness", Options{LateReady: 0.5, LateReadyMax: time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			looptest.Run(t, func(t *testing.T) loop.System {
				return New(1, c.o).Host("h")
			}, looptest.Virtual)
		})
	}
}
