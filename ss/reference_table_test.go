package ss_test

import (
	"testing"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// TestReferenceTable: the package's copy of libwebsockets' table, and that of sstest, which was written independently
// of it, are the same.
func TestReferenceTable(t *testing.T) {
	pairs := 0
	for prev := ss.State(0); prev <= ss.SinkPart; prev++ {
		for next := ss.State(0); next <= ss.SinkPart; next++ {
			got, want := ss.LegalInReference(prev, next), sstest.ReferenceAllows(prev, next)
			if got != want {
				t.Errorf("%v after %v: the package says %v, the reference %v", next, prev, got, want)
			}
			if want && next != ss.EventWaitCancel && next != ss.UpstreamLinkRetry {
				pairs++
			}
		}
	}
	if pairs != 90 {
		t.Errorf("pairs: got %d, want 90", pairs)
	}
}
