// Tlsserver serves over TLS with cert.pem and key.pem. SIGHUP makes it read both files again: connections to come get the
// new certificate, those that are established keep theirs.
package main

import (
	"context"
	"crypto/tls"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// reload waits for signals, on a goroutine of its own, and hands what it has read to the loop.
func reload(h *ss.Handle) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	for range hangup {
		cert, err := tls.LoadX509KeyPair("cert.pem", "key.pem")
		if err == nil {
			e := h.Runtime().Do(context.Background(), func() { err = h.SetCertificates([]tls.Certificate{cert}) })
			if e != nil {
				return // the loop is closed
			}
		}
		log.Print("certificate reloaded: ", err)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var r ss.Router
	r.HandleFunc("GET /", func(h *ss.Handle) ss.Ret { return ss.Reply(h, 200, "text/plain", []byte("hello\n")) })
	p := must(policy.Parse(must(os.ReadFile("policy.json"))))
	certs := []tls.Certificate{must(tls.LoadX509KeyPair("cert.pem", "key.pem"))}
	must(0, ss.Run(ctx, ss.Config{Policy: p}, ss.Info{StreamType: "web", Certificates: certs, New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			go reload(h) // h is the listening stream
		}
		return r.New(h)
	}}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
