package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// queuePolicy has a server and a client of one protocol.
func queuePolicy(protocol string) string {
	http := `"http_method":"POST","http_url":"/",`
	if protocol == "raw" {
		http = ""
	}
	return fmt.Sprintf(`{"retry":[{"r":{"backoff":[1000],"conceal":1,"jitterpc":0}}],"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":%q}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,%s"opportunistic":true,"retry":"r"}}]}`, protocol, http)
}

// Messages arrive in their order and none is lost, through an outage of ten minutes.
func TestQueueThroughAnOutage(t *testing.T) {
	for _, protocol := range []string{"h1", "h2", "ws", "raw"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t, queuePolicy(protocol), plan{Seed: 7})
			var got strings.Builder
			w.Serve("srv", func(s *script) {
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
					got.Write(b)
					if f&ss.EOM != 0 && protocol[0] == 'h' {
						h.ServerAck(200)
						return h.RequestTxLen(0)
					}
					return ss.OK
				}
			})
			q := &ss.Queue{}
			h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return q }})
			if err != nil {
				t.Fatal(err)
			}
			want, n := "", 0
			h.Every(10*time.Second, func() {
				if n++; n > 90 {
					return
				}
				m := fmt.Sprintf("message %d;", n)
				want += m
				if err := q.Put(h, []byte(m)); err != nil {
					t.Errorf("Put: %v", err)
				}
			})
			w.Advance(105 * time.Second) // quiet: what is lost on its way without an acknowledgement, the queue cannot know
			w.Net.ResetAll(w.Server.Host)
			w.Net.Partition(w.Client.Host, w.Server.Host)
			w.Advance(10 * time.Minute)
			if q.Len() < 50 {
				t.Errorf("in the outage the queue holds %d messages, want at least 50", q.Len())
			}
			w.Net.Heal(w.Client.Host, w.Server.Host)
			w.Run("the last message", func() bool { return n > 90 && q.Len() == 0 })
			w.Settle()
			if got.String() != want {
				t.Errorf("received\n  got  %s\n  want %s", got.String(), want)
			}
			if q.Sent != 90 || q.Dropped != 0 || q.Bytes() != 0 {
				t.Errorf("sent %d, dropped %d, bytes %d; want 90, 0, 0", q.Sent, q.Dropped, q.Bytes())
			}
			h.Destroy()
		})
	}
}

// The bounds: the new one is refused, or the oldest dropped; what is left at the end is reported.
func TestQueueBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		q      ss.Queue
		put    []string
		errs   string // of Put, in order: . is nil
		report string
	}{
		{"messages", ss.Queue{MaxMessages: 2}, []string{"a", "b", "c"}, "..F", "a D b D"},
		{"bytes", ss.Queue{MaxBytes: 4}, []string{"aaa", "bb", "b", "ccccc"}, ".F.L", "aaa D b D"},
		{"oldest, messages", ss.Queue{MaxMessages: 2, DropOldest: true}, []string{"a", "b", "c", "d"}, "....", "a F b F c D d D"},
		{"oldest, bytes", ss.Queue{MaxBytes: 4, DropOldest: true}, []string{"aa", "bb", "ccc", "ddddd"}, "...L", "aa F bb F ccc D"},
		{"empty messages", ss.Queue{MaxMessages: 2, DropOldest: true}, []string{"", "", "c"}, "...", " F  D c D"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, queuePolicy("ws"), plan{})
			q, report, errs := c.q, []string{}, ""
			mark := func(err error) string {
				switch {
				case err == nil:
					return "."
				case errors.Is(err, ss.ErrQueueFull):
					return "F"
				case errors.Is(err, ss.ErrTooLong):
					return "L"
				case errors.Is(err, ss.ErrDestroyed):
					return "D"
				}
				return err.Error()
			}
			q.OnDrop = func(m []byte, why error) { report = append(report, string(m)+" "+mark(why)) }
			h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return &q }})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range c.put {
				errs += mark(q.Put(h, []byte(m)))
			}
			if used := w.Client.Loop.Account().Used(); used == 0 && q.Bytes() > 0 {
				t.Error("what is held is not on the account")
			}
			h.Destroy()
			w.Settle()
			errs += mark(q.Put(h, nil))
			if line := strings.Join(report, " "); line != c.report || errs != c.errs+"D" || q.Dropped != uint64(len(report)) {
				t.Errorf("dropped %q (%d), Put answered %q; want %q and %q", line, q.Dropped, errs, c.report, c.errs+"D")
			}
		})
	}
}

// A message that the server refuses is dropped with its status, and the next is sent.
func TestQueueOfRefusedMessages(t *testing.T) {
	w := newWorld(t, queuePolicy("h1"), plan{})
	n := 0
	w.Serve("srv", func(s *script) {
		s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
			if f&ss.EOM == 0 {
				return ss.OK
			}
			h.ServerAck(200)
			if n++; n == 2 {
				h.ServerAck(422)
			}
			return h.RequestTxLen(0)
		}
	})
	q := &ss.Queue{}
	var why []string
	q.OnDrop = func(m []byte, err error) {
		var e *ss.StatusError
		if errors.As(err, &e) {
			why = append(why, fmt.Sprint(string(m), " ", e.Status))
		}
	}
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return q }})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"one", "two", "three"} {
		if err := q.Put(h, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	w.Run("an empty queue", func() bool { return q.Len() == 0 })
	if got := strings.Join(why, ", "); got != "two 422" || q.Sent != 2 || q.Dropped != 1 {
		t.Errorf("dropped %q, sent %d, dropped %d; want \"two 422\", 2, 1", got, q.Sent, q.Dropped)
	}
	h.Destroy()
}

// A message that was cut in the middle is sent again from its start on the next connection.
func TestQueueRepeatsWhatWasCut(t *testing.T) {
	w := newWorld(t, queuePolicy("ws"), plan{})
	h := w.Create("cli", newScript())
	q := &ss.Queue{}
	for _, m := range []string{"first message", "second"} {
		if err := q.Put(h, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 8)
	steps := ""
	for _, ordinal := range []uint32{0, 0, 1, 2, 3} {
		n, f, _ := q.Tx(h, ordinal, buf)
		steps += fmt.Sprintf("%s%s ", buf[:n], marks(f))
	}
	if want := "first me|SOM first me|SOM ssage|EOM second|SOM|EOM  "; steps != want {
		t.Errorf("Tx gave\n  got  %q\n  want %q", steps, want)
	}
	m := []byte("message")
	buf = make([]byte, 100)
	ordinal := uint32(1)
	wantNone(t, "a message through the queue", func() {
		for range 3 {
			if err := q.Put(h, m); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			q.Tx(h, ordinal, buf)
			ordinal++
		}
	})
	h.Destroy()
}
