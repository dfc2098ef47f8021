package ws

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// bounced is an echo that stores one piece of a message and pauses until it is sent.
type bounced struct {
	piece []byte
	flags Flags
	full  bool
	most  int // the longest piece held
}

func (h *bounced) Opened(*Conn)                {}
func (h *bounced) Pong(*Conn, []byte)          {}
func (h *bounced) Closing(*Conn, Code, []byte) {}
func (h *bounced) Closed(*Conn, error)         {}

func (h *bounced) Rx(c *Conn, b []byte, f Flags) {
	if h.full {
		panic("Rx while paused")
	}
	h.piece, h.flags, h.full = append(h.piece[:0], b...), f, true
	h.most = max(h.most, len(b))
	c.Pause()
	c.WantWrite()
}

func (h *bounced) Writable(c *Conn) {
	n, err := c.Send(h.piece, h.flags)
	if err != nil {
		panic(err)
	}
	if n > 0 {
		h.flags &^= First
	}
	h.piece = h.piece[:copy(h.piece, h.piece[n:])]
	switch {
	case len(h.piece) > 0:
		c.WantWrite()
		return
	case n == 0 && c.Commit(0, h.flags) == ErrNoRoom:
		c.WantWrite()
		return
	}
	h.full = false
	c.Resume()
}

// asker sends messages in frames and compares the echo.
type asker struct {
	t      *testing.T
	how    string
	msg    []byte
	kind   Flags
	frame  int // octets, 0 for as many as there is room for
	left   int // how many times the message is still to be sent
	at     int // how much of it has been
	got    []byte
	echoes int
}

func (h *asker) Opened(c *Conn)              { c.WantWrite() }
func (h *asker) Pong(*Conn, []byte)          {}
func (h *asker) Closing(*Conn, Code, []byte) {}
func (h *asker) Closed(_ *Conn, cause error) {
	if cause != nil {
		h.t.Errorf("%s: %v", h.how, cause)
	}
}

func (h *asker) Writable(c *Conn) {
	for h.left > 0 {
		n := min(len(h.msg)-h.at, MaxMin)
		if h.frame > 0 {
			n = min(n, h.frame)
		}
		r := c.Room(n)
		if r == nil {
			c.WantWrite()
			return
		}
		copy(r, h.msg[h.at:h.at+n])
		f := h.kind
		if h.at == 0 {
			f |= First
		}
		if h.at += n; h.at == len(h.msg) {
			f |= Last
			h.at = 0
			h.left--
		}
		if err := c.Commit(n, f); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *asker) Rx(c *Conn, b []byte, f Flags) {
	if (f&First != 0) != (len(h.got) == 0) || f&Binary != h.kind {
		h.t.Fatalf("%s: flags %b behind %d octets", h.how, f, len(h.got))
	}
	h.got = append(h.got, b...)
	if f&Last != 0 {
		if !bytes.Equal(h.got, h.msg) {
			h.t.Fatalf("%s: %d octets come back that are not the %d sent", h.how, len(h.got), len(h.msg))
		}
		h.got = h.got[:0]
		h.echoes++
		if h.echoes == 3 {
			c.Close(Normal, "")
		}
	}
}

// talk runs a client and a server against each other until neither sends. chop is the number of octets that arrive at a
// time, 0 for as many as a read returns; allow is the number that the transports take at a time.
func talk(t *testing.T, gc, gs *Shared, a Agreed, client *asker, server Handler, chop, allow int) (*Conn, *Conn) {
	t.Helper()
	c, lc := open(gc, true, a, client)
	s, ls := open(gs, false, a, server)
	move := func(from, to *rolestest.Lower) bool {
		out := from.Out
		from.Out, from.Allow = make([]byte, 0, 4096), allow
		for rest := out; len(rest) > 0; {
			n := min(len(rest), 64<<10)
			if chop > 0 {
				n = min(n, chop)
			}
			feeder(to)(rest[:n])
			rest = rest[n:]
		}
		from.Service()
		from.Sleep(0)
		return len(out) > 0
	}
	for moved := true; moved; {
		moved = move(lc, ls)
		moved = move(ls, lc) || moved
	}
	if ls.Over && ls.Cause == nil {
		lc.End()
	}
	for _, l := range []*rolestest.Lower{lc, ls} {
		if l.Misuse != "" || !l.Over || l.Cause != nil {
			t.Errorf("%s: over %v, cause %v, misuse %q", client.how, l.Over, l.Cause, l.Misuse)
		}
	}
	return c, s
}

// TestLargeMessages checks the Autobahn cases 9 and 10: messages of up to 16 MiB, in frames and reads of several sizes,
// with ends that store one piece.
func TestLargeMessages(t *testing.T) {
	for _, r := range []struct{ size, frame, chop, allow int }{
		{64 << 10, 0, 0, 0},
		{256 << 10, 0, 0, 0},
		{1 << 20, 0, 0, 5000},
		{4 << 20, 0, 0, 0},
		{16 << 20, 0, 0, 0},
		{1 << 18, 64, 0, 0},
		{1 << 20, 256, 0, 0},
		{1 << 20, 4096, 0, 3000},
		{4 << 20, 64 << 10, 0, 0},
		{1 << 18, 0, 64, 0},
		{1 << 20, 0, 256, 0},
		{1 << 20, 0, 2048, 0},
		{65536, 1300, 0, 0}, // 10.1.1
	} {
		if testing.Short() && r.size > 256<<10 {
			continue
		}
		for _, kind := range []Flags{0, Binary} {
			how := fmt.Sprintf("%+v, kind %v", r, kind)
			h := &asker{t: t, how: how, msg: []byte(prose(r.size)), kind: kind, frame: r.frame, left: 3}
			if r.size > 1<<20 {
				h.left, h.echoes = 1, 2
			}
			e := &bounced{}
			talk(t, newShared(), newShared(), Agreed{}, h, e, r.chop, r.allow)
			if h.echoes != 3 || e.most > piece {
				t.Errorf("%s: %d echoes, want 3; pieces of up to %d", how, h.echoes, e.most)
			}
		}
	}
}

// TestCompressedMessages checks the Autobahn cases 12 and 13: messages of 16 octets to 128 KiB, in frames of several sizes,
// with the terms that a handshake can agree on.
func TestCompressedMessages(t *testing.T) {
	all := Deflate{On: true, KeepTx: true, KeepRx: true}
	for _, terms := range []struct{ client, server Deflate }{
		{all, all}, // 13.1
		{Deflate{On: true, KeepTx: true}, all},
		{Deflate{On: true, KeepTx: true, KeepRx: true, RxBits: 9}, all},  // 13.3
		{Deflate{On: true, KeepTx: true, KeepRx: true, RxBits: 8}, all},  //
		{Deflate{On: true, KeepTx: true, RxBits: 9}, all},                // 13.5
		{Deflate{On: true, KeepTx: true, KeepRx: true, RxBits: 15}, all}, // 13.4
		{all, Deflate{On: true}},
		{all, Deflate{On: true, KeepTx: true, KeepRx: true, TxBits: 12, RxBits: 10}},
	} {
		for _, r := range []struct{ size, frame int }{
			{16, 0}, {64, 0}, {256, 0}, {1024, 0}, {8192, 0}, {32768, 0}, {131072, 0},
			{8192, 256}, {131072, 1024}, {131072, 32768},
		} {
			if testing.Short() && r.size > 8192 && r.frame == 0 {
				continue
			}
			var acc account
			cc, cs := newConfig(), newConfig()
			cc.Deflate, cs.Deflate = terms.client, terms.server
			cc.Deflate.Ratio, cs.Deflate.Ratio = 256, 256
			gc, gs := acc.shared(cc), acc.shared(cs)
			var o Offer
			var ans Answer
			m := &http.Message{Version: http.HTTP11}
			o.Ask(gc, m, nil, false)
			if err := ans.Accept(gs, m, nil); err != nil {
				t.Fatal(err)
			}
			a, err := o.Check(&ans.Message)
			if err != nil || !a.Deflate {
				t.Fatalf("agreed %+v, %v", a, err)
			}
			how := fmt.Sprintf("%+v, %+v", a.Params, r)
			h := &asker{t: t, how: how, msg: []byte(prose(r.size)), frame: r.frame, left: 3}
			e := &bounced{}
			c, s := talk(t, gc, gs, a, h, e, 0, 0)
			if h.echoes != 3 || !c.Compressed() || !s.Compressed() {
				t.Errorf("%s: %d echoes, want 3", how, h.echoes)
			}
			if acc.held != 0 {
				t.Errorf("%s: %d octets held at the end", how, acc.held)
			}
		}
	}
}
