package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// The three libraries run without compression, without a check of UTF-8 (the messages are binary), and without
// deadlines. Each answers in the goroutine that reads. Their buffers have the default sizes:
// larger buffers, of 17 and 32 KiB, changed the figures of neither message of the suite.

// runGWS serves with gws's own server, which parses the handshake itself: faster than net/http. It handles the messages
// of a connection in sequence (ParallelEnabled is off), so a message needs no goroutine.
func runGWS(e *peerEnv) error {
	if e.kind != kindWS && e.kind != kindWSS && e.kind != kindFan {
		return fmt.Errorf("bench: gws: unknown kind %q", e.kind)
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	if secure(e.kind) {
		c, err := loadTLS(e)
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, c)
	}
	var h gws.Event = new(gwsEcho)
	if e.kind == kindFan {
		h = new(gwsFan)
	}
	srv := gws.NewServer(h, &gws.ServerOption{Logger: silent{}})
	e.report(ln.Addr().String())
	return srv.RunListener(ln)
}

// silent keeps gws from logging every client that disconnects.
type silent struct{}

func (silent) Error(...any) {}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (*gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()                         // returns the buffer to a pool
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // the read loop reports the error
}

// serveHTTP runs the peers that hijack net/http connections.
func serveHTTP(e *peerEnv, h http.HandlerFunc) error {
	ln, err := listen()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h}
	if secure(e.kind) {
		if srv.TLSConfig, err = loadTLS(e); err != nil {
			return err
		}
		e.report(ln.Addr().String())
		return srv.ServeTLS(ln, "", "")
	}
	e.report(ln.Addr().String())
	return srv.Serve(ln)
}

// runGorilla serves with gorilla/websocket. It reads into a reused buffer instead of ReadMessage, which
// allocates one per message, and uses WriteMessage, whose path for whole messages does not allocate. Its
// write buffers come from a pool, as its documentation recommends for many mostly idle connections.
func runGorilla(e *peerEnv) error {
	if e.kind != kindWS && e.kind != kindWSS && e.kind != kindFan {
		return fmt.Errorf("bench: gorilla/websocket: unknown kind %q", e.kind)
	}
	up := gorilla.Upgrader{WriteBufferPool: new(sync.Pool)}
	onMessage := func(c *gorillaConn, kind int, b []byte) error { return c.WriteMessage(kind, b) }
	gone := func(*gorillaConn) {}
	if e.kind == kindFan {
		f := new(gorillaFan)
		onMessage, gone = f.onMessage, f.leave
	}
	return serveHTTP(e, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &gorillaConn{Conn: conn}
		go func() { // a new goroutine, so that the request's memory is free
			defer c.Close()
			defer gone(c)
			var buf []byte
			for {
				kind, r, err := c.NextReader()
				if err != nil {
					return
				}
				if buf, err = readAll(buf[:0], r); err != nil {
					return
				}
				if onMessage(c, kind, buf) != nil {
					return
				}
			}
		}()
	})
}

// runCoder serves with coder/websocket. It also reads into a reused buffer, and writes whole messages. A
// context that cannot be cancelled saves the library a watcher.
func runCoder(e *peerEnv) error {
	if e.kind != kindWS && e.kind != kindFan {
		return fmt.Errorf("bench: coder/websocket: unknown kind %q", e.kind)
	}
	onMessage := func(c *coder.Conn, kind coder.MessageType, b []byte) error {
		return c.Write(context.Background(), kind, b)
	}
	gone := func(*coder.Conn) {}
	if e.kind == kindFan {
		f := new(coderFan)
		onMessage, gone = f.onMessage, f.leave
	}
	return serveHTTP(e, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{InsecureSkipVerify: true, CompressionMode: coder.CompressionDisabled})
		if err != nil {
			return
		}
		c.SetReadLimit(-1) // the default is 32 KiB
		go func() {
			defer c.CloseNow()
			defer gone(c)
			ctx := context.Background()
			var buf []byte
			for {
				kind, r, err := c.Reader(ctx)
				if err != nil {
					return
				}
				if buf, err = readAll(buf[:0], r); err != nil {
					return
				}
				if onMessage(c, kind, buf) != nil {
					return
				}
			}
		}()
	})
}

// readAll appends all of r to b, and reuses b's memory.
func readAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(512, len(b)))...)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		if b = b[:len(b)+n]; err == io.EOF {
			return b, nil
		} else if err != nil {
			return b, err
		}
	}
}
