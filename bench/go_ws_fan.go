package main

import (
	"context"
	"sync"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// hall holds the subscribers of a server of kindFan: see gen.Fan.
type hall[M comparable] struct {
	mu      sync.Mutex
	members []M
	seats   map[M]int // index of each member
}

// join makes m a member, once.
func (h *hall[M]) join(m M) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, is := h.seats[m]; is {
		return
	}
	if h.seats == nil {
		h.seats = make(map[M]int)
	}
	h.seats[m] = len(h.members)
	h.members = append(h.members, m)
}

// leave removes m.
func (h *hall[M]) leave(m M) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seat, is := h.seats[m]
	if !is {
		return
	}
	last := len(h.members) - 1
	moved := h.members[last]
	h.members[seat], h.seats[moved] = moved, seat
	delete(h.seats, m)
	h.members = h.members[:last]
}

// each calls f for all members.
func (h *hall[M]) each(f func(m M)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		f(m)
	}
}

// gwsFan publishes with gws's Broadcaster, which encodes the frame once.
type gwsFan struct {
	gws.BuiltinEventHandler
	hall[*gws.Conn]
}

func (f *gwsFan) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if m.Data.Len() == 1 {
		f.join(c)
		_ = c.WriteMessage(m.Opcode, m.Bytes()) // the read loop reports the error
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	f.each(func(c *gws.Conn) { _ = b.Broadcast(c) })
}

func (f *gwsFan) OnClose(c *gws.Conn, _ error) { f.leave(c) }

// gorillaConn is a connection with two writing goroutines, which a lock serialises as gorilla/websocket requires.
type gorillaConn struct {
	*gorilla.Conn
	mu sync.Mutex
}

// gorillaFan publishes with a PreparedMessage, which encodes the frame once.
type gorillaFan struct{ hall[*gorillaConn] }

func (f *gorillaFan) onMessage(c *gorillaConn, kind int, b []byte) error {
	if len(b) == 1 {
		f.join(c)
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.WriteMessage(kind, b)
	}
	p, err := gorilla.NewPreparedMessage(kind, b)
	if err != nil {
		return err
	}
	f.each(func(c *gorillaConn) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.WritePreparedMessage(p)
	})
	return nil
}

// coderFan writes to one member after the other: coder/websocket has no API for broadcasts.
type coderFan struct{ hall[*coder.Conn] }

func (f *coderFan) onMessage(c *coder.Conn, kind coder.MessageType, b []byte) error {
	ctx := context.Background()
	if len(b) == 1 {
		f.join(c)
		return c.Write(ctx, kind, b)
	}
	f.each(func(c *coder.Conn) { _ = c.Write(ctx, kind, b) })
	return nil
}
