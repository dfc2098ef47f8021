package wsi

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

// Without a Resolver of its own a Net asks the machine that its System is: a simulated host knows the hosts of its
// network and nothing of the machine on which the test runs.
func TestDefaultResolverReadsTheSystemsHostsFile(t *testing.T) {
	wd := newWorld(t, 1, sim.Options{}, loop.Config{}, Config{})
	for _, c := range []struct {
		name string
		want string
	}{{"a", "[10.0.0.1 fd00::1]"}, {"b", "[10.0.0.2 fd00::2]"}, {"nowhere", "[]"}} {
		var got []netip.Addr
		var err error
		answered := false
		wd.net.resolver.Resolve(c.name, func(a []netip.Addr, e error) { got, err, answered = a, e, true })
		wd.until(func() bool { return answered })
		if fmt.Sprint(got) != c.want || (err == nil) != (len(got) > 0) {
			t.Errorf("Resolve(%q): got %v, %v, want %s", c.name, got, err, c.want)
		}
	}
}
