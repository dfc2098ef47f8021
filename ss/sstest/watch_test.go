package sstest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// failures is a TB that collects errors.
type failures struct {
	testing.TB
	lines []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

// TestIllegalStatesAreReported: sequences of states that a stream of a faulty runtime would receive.
func TestIllegalStatesAreReported(t *testing.T) {
	states := make(map[string]ss.State)
	for s := ss.State(1); s <= ss.SinkPart; s++ {
		states[Short(s)] = s
	}
	states["USER(1000)"] = ss.UserBase
	for _, c := range []struct {
		told string
		want string // in the only report, or in the first of several; "" for none
	}{
		{"CREATING CONNECTING CONNECTED DISCONNECTED DESTROYING", ""},
		{"CREATING POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING", ""},
		{"CREATING CONNECTING CONNECTED USER(1000) EVENT_WAIT_CANCELLED TIMEOUT DISCONNECTED", ""},
		{"CREATING CONNECTED", "the reference does not allow LWSSSCS_CONNECTED after LWSSSCS_CREATING"},
		{"CREATING CONNECTING CONNECTED UNREACHABLE", "UNREACHABLE after LWSSSCS_CONNECTED"},
		{"CREATING CONNECTING QOS_ACK_REMOTE", "event LWSSSCS_QOS_ACK_REMOTE in LWSSSCS_CONNECTING"},
		{"CREATING CONNECTING CONNECTED DISCONNECTED CONNECTED", "move from LWSSSCS_DISCONNECTED to LWSSSCS_CONNECTED"},
		{"CREATING DESTROYING USER(1000)", "received something after DESTROYING"},
		{"CONNECTING", "does not allow LWSSSCS_CONNECTING after"},
	} {
		f := &failures{TB: t}
		w := New(t, `{"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw"}}]}`, Options{})
		h := w.Create("c", NewScript())
		w.watch.t = f
		delete(w.watch.seen, h)
		for _, name := range strings.Fields(c.told) {
			s, ok := states[name]
			if !ok {
				t.Fatalf("no state is called %s", name)
			}
			w.watch.observe(h, s, ss.Notice{})
		}
		w.watch.t = t
		delete(w.watch.seen, h)
		w.watch.observe(h, ss.Creating, ss.Notice{}) // what it really received
		switch {
		case c.want == "" && len(f.lines) > 0:
			t.Errorf("%s: reported %q, want nothing", c.told, f.lines)
		case c.want != "" && (len(f.lines) == 0 || !strings.Contains(f.lines[0], c.want) || !strings.Contains(f.lines[0], "told: "+strings.Fields(c.told)[0])):
			t.Errorf("%s: reported %q, want %q and all states", c.told, f.lines, c.want)
		}
	}
}
