package ss_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// panicker panics in one callback.
type panicker struct{ where string }

func (p panicker) State(_ *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if short(s) == p.where {
		panic("at " + p.where)
	}
	return ss.OK
}
func (p panicker) Rx(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
	if p.where == "rx" {
		panic("at rx")
	}
	if f == ss.EOM && h.Policy().Protocol == policy.Raw {
		return ss.DisconnectMe // the peer has ended its direction
	}
	return ss.OK
}
func (p panicker) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if p.where == "tx" {
		panic("at tx")
	}
	return copy(buf, "x"), ss.SOM | ss.EOM, ss.OK
}

// TestPanic: a panic in a callback poisons the loop, and the loop's error names the stream.
func TestPanic(t *testing.T) {
	type story struct {
		where, proto string
		server       bool // the accepted stream panics, not the client
		noServer     bool
	}
	var stories []story
	for _, proto := range []string{"raw", "h1"} {
		for _, where := range []string{"POLL", "CONNECTING", "CONNECTED", "rx", "tx", "DISCONNECTED", "DESTROYING", "TIMEOUT", "EVENT_WAIT_CANCELLED"} {
			stories = append(stories, story{where, proto, false, false})
		}
		for _, where := range []string{"CREATING", "CONNECTING", "CONNECTED", "rx", "tx", "DISCONNECTED", "DESTROYING"} {
			stories = append(stories, story{where, proto, true, false})
		}
		stories = append(stories, story{"UNREACHABLE", proto, false, true}, story{"ALL_RETRIES_FAILED", proto, false, true})
	}
	for _, proto := range []string{"ws", "ws over h2"} {
		for _, where := range []string{"POLL", "CONNECTING", "CONNECTED", "rx", "tx", "DISCONNECTED", "DESTROYING", "TIMEOUT", "EVENT_WAIT_CANCELLED"} {
			stories = append(stories, story{where, proto, false, false})
		}
		for _, where := range []string{"CREATING", "CONNECTING", "CONNECTED", "SERVER_UPGRADE", "rx", "tx", "DISCONNECTED", "DESTROYING"} {
			stories = append(stories, story{where, proto, true, false})
		}
	}
	stories = append(stories, story{"QOS_ACK_REMOTE", "h1", false, false}, story{"SERVER_TXN", "h1", true, false})
	for _, c := range stories {
		t.Run(fmt.Sprintf("%s %s server=%v", c.proto, c.where, c.server), func(t *testing.T) {
			const wsServer = `,{"srv":{"server":true,"port":80,"protocol":"h2","ws_subprotocol":"chat"}}`
			srv := map[string]string{"raw": rawServer, "h1": h1Server, "ws": wsServer, "ws over h2": wsServer}[c.proto]
			keys := map[string]string{
				"raw":        `"protocol":"raw"`,
				"h1":         `"protocol":"h1","http_method":"POST"`,
				"ws":         `"protocol":"ws"`,
				"ws over h2": `"protocol":"ws","ws_over_h2":true`,
			}[c.proto]
			w := newWorld(t, clientDoc(keys+`,"opportunistic":true,"retry":"none"`, srv), plan{})
			name, on := "stream c", w.Client
			if c.server {
				name, on = "stream srv", w.Server
			}
			if !c.noServer {
				_, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: func(h *ss.Handle) ss.Stream {
					if c.server && h.Server() != nil {
						return twoWays{panicker{c.where}}
					}
					return twoWays{}
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			var st ss.Stream = panicker{}
			if !c.server {
				st = panicker{c.where}
			}
			h, err := w.Client.Runtime.Create(ss.Info{StreamType: "c", New: func(*ss.Handle) ss.Stream { return st }})
			if err != nil {
				t.Fatal(err)
			}
			h.StartTimeout(time.Second)
			h.RequestTx()
			w.Client.Runtime.CancelWait()
			w.Net.At(2*time.Second, func() { h.StartTimeout(time.Second) })
			w.Net.At(5*time.Second, h.Disconnect)
			w.Net.At(7*time.Second, h.Destroy)
			w.Net.At(8*time.Second, w.Server.Runtime.Close)
			came := func() (p any) {
				defer func() { p = recover() }()
				w.Advance(10 * time.Second)
				return nil
			}()
			if came != "at "+c.where {
				t.Fatalf("panic: got %v, want %q", came, "at "+c.where)
			}
			var poisoned *loop.PoisonedError
			if err := on.Loop.Poisoned(); !errors.As(err, &poisoned) || !strings.Contains(err.Error(), name) {
				t.Errorf("poison: got %v, want an error that names %q", err, name)
			}
			if _, err := on.Runtime.Create(ss.Info{StreamType: "c"}); !errors.As(err, &poisoned) {
				t.Errorf("create on a poisoned loop: got %v, want its poison", err)
			}
			if err := on.Loop.Service(); !errors.As(err, &poisoned) {
				t.Errorf("service of a poisoned loop: got %v, want its poison", err)
			}
		})
	}
}

// twoWays answers: HTTP at once, raw by echo, so that every callback comes about.
type twoWays struct{ panicker }

func (s twoWays) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	r := s.panicker.State(h, st, n)
	if st == ss.ServerTxn {
		h.ServerAck(0)
	}
	return r
}

func (s twoWays) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if r := s.panicker.Rx(h, b, f); r != ss.OK {
		return r
	}
	return h.RequestTx()
}
