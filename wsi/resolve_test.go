package wsi

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

// The default resolver reads the hosts file of the Net's System: a simulated host knows the hosts of its network, and
// not those of the machine that runs the test.
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
