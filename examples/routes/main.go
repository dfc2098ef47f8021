// Routes serves three routes over HTTP/2 and HTTP/1.1. An interrupt ends it in order: no new connections, and answers that
// have begun are completed. A second interrupt ends the process at once.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

func hello(h *ss.Handle) ss.Ret {
	return ss.Reply(h, 200, "text/plain", fmt.Appendf(nil, "Hello, %s!\n", ss.PathValue(h, "name")))
}

// note answers with the length of what was sent.
func note(h *ss.Handle) ss.Ret {
	return ss.ReadBody(h, 1<<20, func(h *ss.Handle, body []byte) ss.Ret {
		return ss.Reply(h, 201, "text/plain", fmt.Appendf(nil, "%d bytes noted\n", len(body)))
	})
}

// slow answers later; nothing waits for it meanwhile.
func slow(h *ss.Handle) ss.Ret {
	h.After(time.Second, func() { ss.Reply(h, 200, "text/plain", []byte("at last\n")) })
	return ss.OK
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // from the first interrupt on a second one is the system's business
	var r ss.Router
	r.HandleFunc("GET /hello/{name}", hello)
	r.HandleFunc("POST /notes", note)
	r.HandleFunc("GET /slow", slow)
	p := must(policy.Parse(must(os.ReadFile("policy.json"))))
	must(0, ss.Run(ctx, ss.Config{Policy: p}, ss.Info{StreamType: "web", New: r.New}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
