package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// hello answers every transaction with one line.
type hello struct{}

func (hello) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		h.ServerAck(0)
		h.SetMetadataString("mime", "text/plain")
		return h.RequestTxLen(6)
	}
	return ss.OK
}
func (hello) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
func (hello) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, "hello\n"), ss.SOM | ss.EOM, ss.OK
}

// asker makes a number of transactions, one after the other.
type asker struct {
	log  []string
	left int
}

func (c *asker) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	c.log = append(c.log, short(s))
	if n.Cause != nil {
		c.log = append(c.log, "("+n.Cause.Error()+")")
	}
	if s == ss.Disconnected {
		if c.left--; c.left > 0 {
			return h.Connect()
		}
	}
	return ss.OK
}
func (c *asker) Rx(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	c.log = append(c.log, fmt.Sprintf("rx(%q%s)", b, marks(f)))
	return ss.OK
}
func (c *asker) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) { return 0, 0, ss.TxDontSend }

// TestRealSockets: three transactions on one connection of the loopback interface work with the kernel's sockets as
// in sim.
func TestRealSockets(t *testing.T) {
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	defer l.Close()
	start := func(doc, streamType string, st ss.Stream) (*ss.Runtime, *ss.Handle) {
		p, err := policy.Parse([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		rt, err := ss.New(ss.Config{Loop: l, Policy: p, PanicOnIllegal: true})
		if err != nil {
			t.Fatal(err)
		}
		h, err := rt.Create(ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return st }})
		if err != nil {
			t.Fatal(err)
		}
		return rt, h
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(); {
			if time.Now().After(end) {
				t.Fatalf("waited 10 s for %s", what)
			}
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
		}
	}
	srt, srv := start(`{"s":[{"srv":{"server":true,"endpoint":"127.0.0.1","port":0,"metadata":[{"mime":"content-type:"}]}}]}`, "srv", hello{})
	a, _ := srv.Addr()
	c := &asker{left: 3}
	crt, h := start(fmt.Sprintf(`{"s":[{"cli":{"endpoint":"127.0.0.1","port":%d,"http_url":"/x"}}]}`, a.IP.Port()), "cli", c)
	h.Connect()
	until("three transactions", func() bool { return c.left == 0 })
	want := "CREATING" + strings.Repeat(` CONNECTING CONNECTED rx("hello\n"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`, 3)
	if got := strings.Join(c.log, " "); got != want {
		t.Errorf("the client received\n  got  %s\n  want %s", got, want)
	}
	if n := srt.Net().Counters.Accepted; n != 1 || srt.Counters.Transactions != 3 {
		t.Errorf("got %d connections and %d transactions, want 1 and 3", n, srt.Counters.Transactions)
	}
	crt.Close()
	srt.Close()
	until("everything to be released", func() bool {
		return crt.Net().Open()+srt.Net().Open()+crt.Len()+srt.Len()+l.Stats().Timers+l.Stats().Sources == 0
	})
}
