package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/millrace/millrace/bench/internal/gen"
)

// listen opens a listener with net.Listen, as most Go programs do.
func listen() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }

// runNetHTTP serves with net/http in its default configuration. The handler sets the length, as a careful program
// does; the library sets the date.
func runNetHTTP(e *peerEnv) error {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(gen.Body)))
		io.WriteString(w, gen.Body)
	})}
	switch e.kind {
	case kindH1, kindTLS, kindH2:
	case kindBulk, kindBulkH1:
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.Itoa(gen.BulkSize))
			io.Copy(w, &bulk{})
		})
	default:
		return fmt.Errorf("bench: net/http: unknown kind %q", e.kind)
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	if secure(e.kind) {
		if srv.TLSConfig, err = loadTLS(e); err != nil {
			return err
		}
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(e.kind != kindH2)
		srv.Protocols.SetHTTP2(e.kind == kindH2)
	}
	e.report(ln.Addr().String())
	if secure(e.kind) {
		return srv.ServeTLS(ln, "", "")
	}
	return srv.Serve(ln)
}

// bulk is gen.Bulk as a reader. It has no WriteTo, which would spare net/http the copy, since millrace
// copies too.
type bulk struct{ off int }

func (b *bulk) Read(p []byte) (int, error) {
	if b.off == gen.BulkSize {
		return 0, io.EOF
	}
	n := copy(p, gen.Bulk(b.off, len(p)))
	b.off += n
	return n, nil
}

// runFastHTTP serves with fasthttp in its default configuration, without its Server field, which of the other servers
// only nginx sends by default.
func runFastHTTP(e *peerEnv) error {
	if e.kind != kindH1 && e.kind != kindTLS && e.kind != kindBulk && e.kind != kindBulkH1 {
		return fmt.Errorf("bench: fasthttp: unknown kind %q", e.kind)
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	srv := &fasthttp.Server{
		NoDefaultServerHeader: true,
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("text/plain")
			ctx.SetBodyString(gen.Body)
		},
	}
	if e.kind == kindBulk || e.kind == kindBulkH1 {
		srv.Handler = func(ctx *fasthttp.RequestCtx) { ctx.SetBodyStream(&bulk{}, gen.BulkSize) }
	}
	if secure(e.kind) {
		c, err := loadTLS(e)
		if err != nil {
			return err
		}
		ln = tls.NewListener(ln, c)
	}
	e.report(ln.Addr().String())
	return srv.Serve(ln)
}

// runGoNet echoes with a goroutine and a buffer per connection, of the limit's size. It does not
// use io.Copy, which would splice in the kernel and never see the bytes: the echo models a program that reads its input.
func runGoNet(e *peerEnv) error {
	if e.kind != kindRaw {
		return fmt.Errorf("bench: Go net: unknown kind %q", e.kind)
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	e.report(ln.Addr().String())
	for {
		c, err := ln.Accept()
		if err != nil {
			return fmt.Errorf("bench: Go net: accept: %w", err)
		}
		go func() {
			defer c.Close()
			buf := make([]byte, limitRawBuffer)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
