package h2

import (
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
)

// TestNoDeadline: an exchange without deadline waits for the response and for each piece of its body; other exchanges on the
// connection have their deadlines.
func TestNoDeadline(t *testing.T) {
	k := DefaultConfig()
	k.Timeouts.Response = 20 * time.Second
	k.Timeouts.Body = 30 * time.Second
	var served []*recorder
	p := newPair(k, DefaultConfig(), func(*Server) http.Handler {
		h := &recorder{onEnd: func(http.Exchange) {}}
		served = append(served, h)
		return h
	})
	p.open()
	ask := func(unhurried bool) *recorder {
		h := &recorder{head: get("/"), end: true}
		x, err := p.c.Do(h)
		if err != nil {
			t.Fatal(err)
		}
		if unhurried {
			x.(http.NoDeadline).NoDeadline()
		}
		return h
	}
	slow, quick := ask(true), ask(false)
	p.pump()
	p.cl.Sleep(time.Minute)
	p.pump()
	if slow.done || !quick.done {
		t.Fatalf("after a minute without a response: done %v and %v, want the end of the second alone", slow.done, quick.done)
	}
	x := served[0].x
	x.SetHandler(writer(func(x http.Exchange) {
		if err := x.SendHead(&http.Message{Status: 200, Length: 4}, false); err != nil {
			t.Fatal(err)
		}
		x.SetHandler(writer(func(x http.Exchange) { x.Commit(copy(x.Room(), "ab"), false) }))
	}))
	for range 3 {
		x.WantWrite()
		p.pump()
		p.cl.Sleep(time.Minute)
		p.pump()
	}
	if !slow.done || slow.cause != nil || slow.got != 4 {
		t.Errorf("done %v with %v and %d bytes, want the complete response", slow.done, slow.cause, slow.got)
	}
	p.check(t)
}

// writer is a handler that only writes.
type writer func(x http.Exchange)

func (writer) Head(http.Exchange, *http.Message) {}
func (writer) Body(http.Exchange, []byte)        {}
func (writer) End(http.Exchange, []http.Field)   {}
func (writer) Done(http.Exchange, error)         {}
func (w writer) Writable(x http.Exchange)        { w(x) }
