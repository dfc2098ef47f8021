package ss_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

type hello struct{}

func (hello) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		h.ServerAck(0)
		h.SetMetadataString("mime", "text/plain")
		return h.RequestTxLen(6)
	}
	return ss.OK
}
func (hello) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
func (hello) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, "hello\n"), ss.SOM | ss.EOM, ss.OK
}

type client struct {
	log  *[]string
	done func()
	n    int
}

func (c *client) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	*c.log = append(*c.log, s.String())
	if s == ss.Disconnected {
		if c.n++; c.n < 3 {
			return h.Connect()
		}
		c.done()
	}
	if n.Cause != nil {
		*c.log = append(*c.log, n.Cause.Error())
	}
	return ss.OK
}
func (c *client) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	*c.log = append(*c.log, fmt.Sprintf("rx %q %d", b, f))
	return ss.OK
}
func (c *client) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return 0, 0, ss.TxDontSend
}

func TestSmoke(t *testing.T) {
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	p, err := policy.Parse([]byte(`{"s":[
	{"srv":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h1","metadata":[{"mime":"content-type:"}]}},
	{"cli":{"endpoint":"127.0.0.1:${port}","port":1,"protocol":"h1","http_url":"/x","metadata":[{"port":""}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := ss.New(ss.Config{Loop: l, Policy: p, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := rt.Create(ss.Info{StreamType: "srv", New: func(*ss.Handle) ss.Stream { return hello{} }})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := srv.Addr()
	var log []string
	stop := false
	p2, err := policy.Parse([]byte(fmt.Sprintf(`{"s":[{"cli":{"endpoint":"127.0.0.1","port":%d,"protocol":"h1","http_url":"/x"}}]}`, a.IP.Port())))
	if err != nil {
		t.Fatal(err)
	}
	rt2, err := ss.New(ss.Config{Loop: l, Policy: p2, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	h, err := rt2.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return &client{log: &log, done: func() { stop = true }} }})
	if err != nil {
		t.Fatal(err)
	}
	h.Connect()
	end := time.Now().Add(3 * time.Second)
	for !stop && time.Now().Before(end) {
		if err := l.Service(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range log {
		t.Log(s)
	}
	t.Logf("%+v", rt2.Net().Counters)
	t.Logf("%+v", rt.Counters)
}
