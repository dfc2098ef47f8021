package looptest_test

import (
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/loop/looptest"
)

// TestKernel runs the suite on the real kernel.
func TestKernel(t *testing.T) {
	looptest.Run(t, func(t *testing.T) loop.System {
		sys, err := loop.NewSystem()
		if err != nil {
			t.Fatal(err)
		}
		return sys
	})
}
