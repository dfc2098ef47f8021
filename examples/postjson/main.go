// Postjson sends a JSON document, and prints the status and the body of the answer.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// post sends its Body, and collects the answer. Each attempt sends the body from its beginning.
type post struct {
	ss.Collector
	ss.Body
}

// State begins the request when the stream is created.
func (p *post) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Creating {
		p.SetBytes([]byte(`{"name": "millrace"}`))
		return p.Request(h)
	}
	return p.Collector.State(h, s, n)
}

func received(h *ss.Handle, body []byte, err error) ss.Ret {
	if err != nil {
		log.Fatal(err) // http.ErrOutcomeUnknown in it: the server may have acted on the request
	}
	fmt.Printf("%d: %s\n", h.HTTPStatus(), body)
	return ss.DestroyMe
}

func main() {
	doc := must(os.ReadFile("policy.json"))
	must(0, ss.Run(context.Background(), ss.Config{Policy: must(policy.Parse(doc))}, ss.Info{
		StreamType: "register",
		New:        func(*ss.Handle) ss.Stream { return &post{Collector: ss.Collector{Done: received}} },
	}))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
