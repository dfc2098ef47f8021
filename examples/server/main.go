// Server answers every HTTP request with a greeting. Where it listens stands in policy.json, or in the
// file that its argument names. Try it:
//
//	go run ./examples/server
//	curl http://127.0.0.1:7681/world
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

//go:embed policy.json
var builtIn []byte

// greeter is the program's side of one accepted connection. There is one per client, and one more for the
// listening stream itself, which is told nothing but its own beginning and end.
type greeter struct{ answer string }

// State learns what became of the stream.
func (g *greeter) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.ServerTxn { // a request has come
		path, _ := h.Metadata("path")
		g.answer = fmt.Sprintf("Hello, %s!\n", path[1:])
		h.ServerAck(200)
		if err := h.SetMetadataString("mime", "text/plain"); err != nil {
			log.Print(err) // the policy does not declare it
		}
		// Nothing is sent until it is asked for: Tx follows as soon as the connection takes payload.
		return h.RequestTxLen(int64(len(g.answer)))
	}
	return ss.OK
}

// Rx would bring the body of a request.
func (g *greeter) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

// Tx fills buf, which has room for 16 KiB at least: the whole answer, from its start (SOM) to its end (EOM).
func (g *greeter) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, g.answer), ss.SOM | ss.EOM, ss.OK
}

func main() {
	doc := builtIn
	if len(os.Args) > 1 {
		var err error
		if doc, err = os.ReadFile(os.Args[1]); err != nil {
			log.Fatal(err)
		}
	}
	p, err := policy.Parse(doc)
	if err != nil {
		log.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		log.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	rt, err := ss.New(ss.Config{Loop: l, Policy: p})
	if err != nil {
		log.Fatal(err)
	}
	server, err := rt.Create(ss.Info{StreamType: "hello", New: func(*ss.Handle) ss.Stream { return &greeter{} }})
	if err != nil {
		log.Fatal(err)
	}
	at, _ := server.Addr()
	fmt.Println("listening on", at)

	// Everything above and every callback belongs to the goroutine that runs the loop: this one.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := l.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
