package h2

import (
	"strings"
	"testing"
	"time"
)

// TestHalfClosedConnection: a client that ends its direction of the connection gets its responses, one byte before
// each deadline; a stream for which nothing is sent in time is reset, and the connection ends with the last stream.
func TestHalfClosedConnection(t *testing.T) {
	v := serve(DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.head.Status = 0 } // sends nothing by itself
	v.feed(t, hello+getReq(1)+getReq(3))
	v.l.End()
	for i, r := range v.made {
		if n := strings.Count(only(v.log.String(), r.name+" "), "half-closed"); n != 1 {
			t.Fatalf("handler %d: got HalfClosed %d times, want once:\n%s", i+1, n, v.log.String())
		}
	}
	v.l.Sleep(59 * time.Second)
	one := v.made[0]
	one.head.Status, one.body, one.stuck = 200, "hello", true
	one.x.WantWrite()
	v.l.Service()
	if out := v.out(t); !strings.Contains(out, "200") {
		t.Fatalf("the late response: got %q", out)
	}
	v.l.Sleep(2 * time.Second)
	two := v.made[1]
	if !two.done || !strings.Contains(errString(two.cause), "nothing was sent in time") {
		t.Errorf("the stream without a response: done %v with %v, want a timeout", two.done, two.cause)
	}
	if one.done || v.l.Closing {
		t.Errorf("the stream with a part of its response: done %v with %v, connection closing %v", one.done, one.cause, v.l.Closing)
	}
	one.x.Pause() // does not stop the timer
	v.l.Sleep(59 * time.Second)
	if !one.done || !v.l.Over {
		t.Errorf("the response that stops: done %v, connection over %v, want both", one.done, v.l.Over)
	}
	if n := v.sh.Counters.Timeouts; n != 2 {
		t.Errorf("timeouts: got %d, want 2", n)
	}
	v.over(t)
}

func errString(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
