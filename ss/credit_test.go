package ss_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestTxCredit: with manual credit a peer of h2 may send what the program has granted, and no more.
func TestTxCredit(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h2","http_url":"/x"`, rawServer), plan{})
	var granted []string
	initial := uint32(65535)
	peers := w.frames("srv", func(p *framePeer) {
		p.onReq = func(p *framePeer, q *peerRequest) { p.head(q, 200, false) }
		p.onFrame = func(typ byte, id uint32, b []byte) {
			switch {
			case typ == fWindow && id != 0:
				granted = append(granted, fmt.Sprint(binary.BigEndian.Uint32(b)))
			case typ == fSettings:
				for ; len(b) >= 6; b = b[6:] {
					if binary.BigEndian.Uint16(b) == 4 {
						initial = binary.BigEndian.Uint32(b[2:])
					}
				}
			}
		}
	})
	s := newScript()
	s.World = w.World
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: "c", ManualInitialTxCredit: 1000, New: func(h *ss.Handle) ss.Stream { s.Handle = h; return s }})
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, credit int64, grants ...string) {
		t.Helper()
		if got := h.GetEstPeerTxCredit(); got != credit || fmt.Sprint(granted) != fmt.Sprint(grants) {
			t.Errorf("%s: credit %d, windows granted %v; want %d, %v", what, got, granted, credit, grants)
		}
	}
	want("before any connection", 0)
	if err := h.AddPeerTxCredit(1); !errors.Is(err, ss.ErrNoCredit) {
		t.Errorf("before any connection: got %v, want ErrNoCredit", err)
	}
	h.Connect()
	w.Settle()
	if initial != 1000 {
		t.Errorf("the window that SETTINGS announce: got %d, want 1000", initial)
	}
	want("with the head", 1000)
	p := (*peers)[0]
	q := p.requests[0]
	p.data(q, string(make([]byte, 600)), false)
	w.Settle()
	want("after 600 bytes", 400)
	p.data(q, string(make([]byte, 400)), false)
	w.Settle()
	want("after all that was granted", 0)
	if err := h.AddPeerTxCredit(5000); err != nil {
		t.Errorf("to add credit: %v", err)
	}
	w.Settle()
	want("with more", 5000, "5000")
	if err := h.AddPeerTxCredit(-1); !errors.Is(err, ss.ErrMisuse) {
		t.Errorf("to take credit away: got %v, want ErrMisuse", err)
	}
	p.data(q, string(make([]byte, 5000)), true)
	w.Settle()
	w.WantLife("the stream", s, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
	if len(s.Got) != 6000 {
		t.Errorf("payload: got %d bytes, want 6000", len(s.Got))
	}
	want("afterwards", 0, "5000")

	// A stream without manual credit uses another connection, with automatic windows.
	granted, initial = nil, 0
	auto := newScript()
	ha := w.Create("c", auto)
	ha.Connect()
	w.Settle()
	if len(*peers) != 2 || initial < 65535 {
		t.Fatalf("a stream that grants by itself: %d connections, window %d; want one of its own with a usual window", len(*peers), initial)
	}
	before := ha.GetEstPeerTxCredit()
	if err := ha.AddPeerTxCredit(1000); err != nil || before < 65535 || ha.GetEstPeerTxCredit() != before {
		t.Errorf("credit %d, then %d (%v); want it to have stayed", before, ha.GetEstPeerTxCredit(), err)
	}
	(*peers)[1].data((*peers)[1].requests[0], "x", true)
	w.Advance(time.Second)
}

// TestNoTxCredit: protocols without windows return ErrNoCredit.
func TestNoTxCredit(t *testing.T) {
	for _, protocol := range []string{"h1", "raw"} {
		w := newWorld(t, clientDoc(`"protocol":"`+protocol+`"`, rawServer), plan{})
		w.Serve("srv", nil)
		s := newScript()
		s.World = w.World
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: "c", ManualInitialTxCredit: 1000, New: func(*ss.Handle) ss.Stream { return s }})
		if err != nil {
			t.Fatal(err)
		}
		h.Connect()
		w.Settle()
		if err := h.AddPeerTxCredit(1); !errors.Is(err, ss.ErrNoCredit) || h.GetEstPeerTxCredit() != 0 {
			t.Errorf("%s: got %v and %d, want ErrNoCredit and 0", protocol, err, h.GetEstPeerTxCredit())
		}
	}
}
