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

// The three libraries do without compression and without a check of UTF-8, the messages being binary, and have
// no deadlines. Each answers in the goroutine that reads. Their buffers have the size that they have by default:
// larger ones, of 17 and 32 KiB, were tried and made no difference to either message of the suite.

// runGWS serves with gws's own server, which reads the handshake itself: quicker than net/http. One message
// of a connection is handled after the other (ParallelEnabled is off), so none costs a goroutine.
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

// silent keeps gws from reporting every client that went away.
type silent struct{}

func (silent) Error(...any) {}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (*gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()                         // its buffer is pooled
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // the read loop finds the end
}

// serveHTTP runs the peers that take over connections of net/http.
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

// runGorilla serves with gorilla/websocket. It reads into a buffer that is kept instead of ReadMessage, which
// would make one for each message, and uses WriteMessage, whose path for whole messages does not allocate. Its
// write buffers come from a pool, as it recommends for many connections that are mostly idle.
func runGorilla(e *peerEnv) error {
	if e.kind != kindWS && e.kind != kindWSS && e.kind != kindFan {
		return fmt.Errorf("bench: gorilla/websocket: unknown kind %q", e.kind)
	}
	up := gorilla.Upgrader{WriteBufferPool: new(sync.Pool)}
	hear := func(c *gorillaConn, kind int, b []byte) error { return c.WriteMessage(kind, b) }
	gone := func(*gorillaConn) {}
	if e.kind == kindFan {
		f := new(gorillaFan)
		hear, gone = f.hear, f.leave
	}
	return serveHTTP(e, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &gorillaConn{Conn: conn}
		go func() { // so that the request's memory is free
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
				if hear(c, kind, buf) != nil {
					return
				}
			}
		}()
	})
}

// runCoder serves with coder/websocket. It too reads into a buffer that is kept, and writes whole messages. A
// context without an end spares it the watch for one.
func runCoder(e *peerEnv) error {
	if e.kind != kindWS && e.kind != kindFan {
		return fmt.Errorf("bench: coder/websocket: unknown kind %q", e.kind)
	}
	hear := func(c *coder.Conn, kind coder.MessageType, b []byte) error {
		return c.Write(context.Background(), kind, b)
	}
	gone := func(*coder.Conn) {}
	if e.kind == kindFan {
		f := new(coderFan)
		hear, gone = f.hear, f.leave
	}
	return serveHTTP(e, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{InsecureSkipVerify: true, CompressionMode: coder.CompressionDisabled})
		if err != nil {
			return
		}
		c.SetReadLimit(-1) // it would be 32 KiB
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
				if hear(c, kind, buf) != nil {
					return
				}
			}
		}()
	})
}

// readAll appends all of r to b, whose memory is used again.
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
