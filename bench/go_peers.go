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

// listen opens a listener the way a Go program does.
func listen() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }

// runNetHTTP serves with the standard library as it comes. The length is set by hand, as it would be
// by anyone who cares; the date is the library's.
func runNetHTTP(e *peerEnv) error {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(gen.Body)))
		io.WriteString(w, gen.Body)
	})}
	switch e.kind {
	case kindH1, kindTLS, kindH2:
	case kindBulk, kindHaul:
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

// bulk is gen.Bulk as a reader. It has no WriteTo that would spare net/http the copy, since millrace
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

// runFastHTTP serves with fasthttp as it comes, less its Server field, which nobody else sends
// unasked but nginx.
func runFastHTTP(e *peerEnv) error {
	if e.kind != kindH1 && e.kind != kindTLS && e.kind != kindBulk && e.kind != kindHaul {
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
	if e.kind == kindBulk || e.kind == kindHaul {
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

// runGoNet echoes with a goroutine and a buffer per connection, as large as the limit's. It does not
// use io.Copy, which would splice in the kernel and never see the bytes: an echo stands here for a
// program that reads what it gets.
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
