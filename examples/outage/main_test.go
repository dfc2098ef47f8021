package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

const serverPolicy = `{"s": [{"server": {"server": true, "port": 7711, "protocol": "h1"}}]}`

// The counts of ten minutes without a network wait in the queue and arrive in their order. When the test ends, sstest closes
// the streams and fails the test if a handle, connection, timer or byte of memory is left.
func TestOutage(t *testing.T) {
	w := sstest.New(t, string(must(os.ReadFile("policy.json"))), sstest.Options{ServerPolicy: serverPolicy})
	var got []string
	w.Serve("server", func(s *sstest.Script) {
		sstest.Answer(200, "")(s)
		s.OnRx = func(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			if len(b) > 0 {
				got = append(got, string(b))
			}
			return ss.OK
		}
	})
	m := &meter{}
	must(w.Client.Runtime.Create(ss.Info{StreamType: "meter", New: func(*ss.Handle) ss.Stream { return m }}))
	w.Run("three counts", func() bool { return m.Sent == 3 })
	w.Outage(10 * time.Minute)
	if m.Sent != 3 || m.Len() < 59 {
		t.Errorf("after the outage: got %d counts sent and %d in the queue, want 3 and at least 59", m.Sent, m.Len())
	}
	w.Run("the counts of the outage", func() bool { return m.Len() == 0 })
	got = slices.Compact(got) // the server may receive a count twice if its acknowledgement was lost
	for i, c := range got {
		if want := fmt.Sprintf("count %d", i+1); c != want {
			t.Fatalf("the server received %q, want %q; all: %q", c, want, got)
		}
	}
	if len(got) != m.count || m.Dropped != 0 {
		t.Errorf("got %d counts received and %d dropped, want all %d and none", len(got), m.Dropped, m.count)
	}
}
