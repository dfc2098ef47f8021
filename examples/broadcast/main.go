// Broadcast tells everybody who connects to ws://127.0.0.1:7682/ what one publisher says on .../publish. Subscribers own
// no queues: each has a place in one ring of messages, and who is slow is overtaken, told how many it missed, and goes on
// with what there is. The policy's svalidping and svalidhup find those that are gone.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"os"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

//go:embed policy.json
var builtIn []byte

// feed is the ring: message i stands at i modulo its length until a later one needs the place.
type feed struct {
	ring      [256][]byte
	count     int    // messages so far
	publisher *guest // nil without one
}

const largest = 4096 // bytes of a message: what a Tx on a WebSocket always has room for

// guest is one connection: the publisher's, or a subscriber's.
type guest struct {
	*feed
	coming []byte // the publisher's next message, as much as has come
	next   int    // the subscriber's next message
}

func (g *guest) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	switch path, _ := h.Metadata("path"); {
	case s == ss.ServerTxn: // a request that is none for a WebSocket: 404
		return h.RequestTxLen(0)
	case s == ss.ServerUpgrade && string(path) != "/publish":
		g.next = g.count
	case s == ss.ServerUpgrade && g.publisher != nil:
		h.ServerAck(409) // Conflict: there will be no WebSocket
	case s == ss.ServerUpgrade:
		g.publisher = g
	case s == ss.Destroying && g.publisher == g:
		g.publisher = nil
	}
	return ss.OK
}

func (g *guest) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if g.publisher != g || f&ss.Binary != 0 || len(g.coming)+len(b) > largest {
		h.DisconnectWith(ws.Policy, fmt.Sprint("text of the publisher, of at most ", largest, " bytes"))
	} else if g.coming = append(g.coming, b...); f&ss.EOM != 0 {
		oldest := &g.ring[g.count%len(g.ring)]
		*oldest, g.coming = g.coming, (*oldest)[:0] // its memory is for the next
		g.count++
		h.Server().ForEachClient(func(c *ss.Handle) { c.RequestTx() })
	}
	return ss.OK
}

func (g *guest) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, _ ss.Flags, _ ss.Ret) {
	switch missed := g.count - len(g.ring) - g.next; {
	case g.publisher == g || g.next == g.count:
		return 0, 0, ss.TxDontSend
	case missed > 0:
		n = copy(buf, fmt.Sprintf("(%d messages missed)", missed))
		g.next += missed
	default:
		n = copy(buf, g.ring[g.next%len(g.ring)])
		g.next++
	}
	h.RequestTx() // until there is no more
	return n, ss.SOM | ss.EOM, ss.OK
}

func main() {
	doc := builtIn
	if len(os.Args) > 1 {
		doc = must(os.ReadFile(os.Args[1]))
	}
	l := loop.New(must(loop.NewSystem()), loop.Config{})
	rt := must(ss.New(ss.Config{Loop: l, Policy: must(policy.Parse(doc))}))
	f := new(feed)
	at, _ := must(rt.Create(ss.Info{StreamType: "feed", New: func(*ss.Handle) ss.Stream { return &guest{feed: f} }})).Addr()
	fmt.Println("listening on", at)
	log.Fatal(l.Run(context.Background()))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
