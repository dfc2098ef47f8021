package ss

import (
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
)

// TestRawValidity: the TCP options for svalidping and svalidhup if the protocol has no ping.
func TestRawValidity(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		r    policy.Retry
		keep loop.KeepAlive
		user time.Duration
	}{
		{policy.Retry{}, loop.KeepAlive{}, 0},
		{policy.Retry{HasValidity: true}, loop.KeepAlive{Idle: -1}, 0},
		{policy.Retry{HasValidity: true, ValidPing: 5 * s}, loop.KeepAlive{Idle: 5 * s}, 0},
		{policy.Retry{HasValidity: true, ValidPing: 5 * s, ValidHup: 8 * s}, loop.KeepAlive{Idle: 5 * s, Interval: 3 * s, Probes: 1}, 3 * s},
		{policy.Retry{HasValidity: true, ValidHup: 8 * s}, loop.KeepAlive{Idle: 4 * s, Interval: 4 * s, Probes: 1}, 4 * s},
	} {
		if keep, user := rawValidity(&c.r); keep != c.keep || user != c.user {
			t.Errorf("ping %v, hup %v, given %v: got %+v and %v, want %+v and %v", c.r.ValidPing, c.r.ValidHup, c.r.HasValidity, keep, user, c.keep, c.user)
		}
	}
}
