package main

import (
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
	if e.kind != kindH1 {
		return fmt.Errorf("bench: net/http: unknown kind %q", e.kind)
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(gen.Body)))
		io.WriteString(w, gen.Body)
	})}
	e.report(ln.Addr().String())
	return srv.Serve(ln)
}

// runFastHTTP serves with fasthttp as it comes, less its Server field, which nobody else sends
// unasked but nginx.
func runFastHTTP(e *peerEnv) error {
	if e.kind != kindH1 {
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
