package ss_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// simulated is the Config of a program on a simulated machine, which talks to itself under 10.0.0.1. Run returns an error
// after an hour of virtual time: an example that never stops fails. On the real kernel Policy is all that a Config needs.
func simulated(document string) ss.Config {
	p, err := policy.Parse([]byte(document))
	if err != nil {
		log.Fatal(err)
	}
	host := sim.New(1, sim.Options{Limit: time.Hour}).Host("machine", netip.MustParseAddr("10.0.0.1"))
	return ss.Config{Loop: loop.New(host, loop.Config{}), Policy: p}
}

// stop ends Run in order.
func stop(h *ss.Handle) ss.Ret {
	h.Runtime().Loop().Stop()
	return ss.OK
}

// A client asks for a JSON document. The policy says how often it tries again: this server is busy at first.
func ExampleCollector() {
	const doc = `{"retry": [{"patient": {"backoff": [1000, 5000], "conceal": 5, "jitterpc": 0}}], "s": [
		{"weather": {"endpoint": "10.0.0.1", "port": 80, "protocol": "h1", "http_url": "/oslo", "nailed_up": true, "retry": "patient"}},
		{"server": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "h1"}}]}`

	requests := 0
	var server ss.Router
	server.HandleFunc("GET /oslo", func(h *ss.Handle) ss.Ret {
		if requests++; requests < 3 {
			return ss.Reply(h, 503, "", nil)
		}
		return ss.Reply(h, 200, "application/json", []byte(`{"degrees": 3.5}`))
	})

	received := func(h *ss.Handle, body []byte, err error) ss.Ret {
		var weather struct{ Degrees float64 }
		if err == nil {
			err = json.Unmarshal(body, &weather)
		}
		fmt.Println(h.HTTPStatus(), weather.Degrees, err)
		return stop(h)
	}
	err := ss.Run(context.Background(), simulated(doc),
		ss.Info{StreamType: "server", New: server.New},
		ss.Info{StreamType: "weather", New: func(*ss.Handle) ss.Stream { return &ss.Collector{Limit: 1 << 20, Done: received} }})
	fmt.Println(requests, "requests,", err)
	// Output:
	// 200 3.5 <nil>
	// 3 requests, <nil>
}

// poster sends a Body and collects the answer.
type poster struct {
	ss.Collector
	ss.Body
}

// State begins the request when the stream is created.
func (p *poster) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Creating {
		return p.Request(h)
	}
	return p.Collector.State(h, s, n)
}

// A client sends a JSON document, and reads status and body of the answer.
func ExampleBody() {
	const doc = `{"s": [
		{"register": {"endpoint": "10.0.0.1", "port": 80, "protocol": "h1", "http_method": "POST", "http_url": "/devices"}},
		{"server": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "h1"}}]}`

	var server ss.Router
	server.HandleFunc("POST /devices", func(h *ss.Handle) ss.Ret {
		return ss.ReadBody(h, 1<<10, func(h *ss.Handle, body []byte) ss.Ret {
			return ss.Reply(h, 201, "text/plain", fmt.Appendf(nil, "registered %s", body))
		})
	})

	// type poster struct { ss.Collector; ss.Body }
	p := &poster{}
	p.SetBytes([]byte(`{"name": "pump"}`))
	p.Done = func(h *ss.Handle, body []byte, err error) ss.Ret {
		fmt.Println(h.HTTPStatus(), string(body), err)
		return stop(h)
	}
	err := ss.Run(context.Background(), simulated(doc),
		ss.Info{StreamType: "server", New: server.New},
		ss.Info{StreamType: "register", New: func(*ss.Handle) ss.Stream { return p }})
	fmt.Println(err)
	// Output:
	// 201 registered {"name": "pump"} <nil>
	// <nil>
}

// A device sends a reading every ten seconds. The server appears after ten minutes; until then the readings wait.
func ExampleQueue() {
	const doc = `{"retry": [{"outage": {"backoff": [1000, 10000], "conceal": 65535, "jitterpc": 0}}], "s": [
		{"telemetry": {"endpoint": "10.0.0.1", "port": 80, "protocol": "h1", "http_method": "POST", "http_url": "/",
			"http_retry_unsafe": true, "opportunistic": true, "retry": "outage"}},
		{"server": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "h1"}}]}`

	count, first := 0, ""
	var server ss.Router
	server.HandleFunc("POST /", func(h *ss.Handle) ss.Ret {
		return ss.ReadBody(h, 1<<10, func(h *ss.Handle, body []byte) ss.Ret {
			if count++; count == 1 {
				first = string(body)
			}
			if count == 70 {
				fmt.Printf("%s to %s, in order\n", first, body)
				stop(h)
			}
			return ss.Reply(h, 200, "", nil)
		})
	})

	q := &ss.Queue{MaxMessages: 10_000, DropOldest: true}
	err := ss.Run(context.Background(), simulated(doc), ss.Info{StreamType: "telemetry", New: func(h *ss.Handle) ss.Stream {
		n := 0
		h.Every(10*time.Second, func() {
			n++
			if err := q.Put(h, fmt.Appendf(nil, "reading %d", n)); err != nil {
				log.Fatal(err)
			}
		})
		h.After(10*time.Minute, func() {
			fmt.Println(q.Len(), "readings wait")
			if _, err := h.Runtime().Create(ss.Info{StreamType: "server", New: server.New}); err != nil {
				log.Fatal(err)
			}
		})
		return q
	}})
	fmt.Println(err)
	// Output:
	// 59 readings wait
	// reading 1 to reading 70, in order
	// <nil>
}

// subscriber subscribes on each connection.
type subscriber struct{ ss.Messages }

func (s *subscriber) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	if st == ss.Connected {
		return h.RequestTx()
	}
	return ss.OK
}

func (s *subscriber) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, "subscribe"), ss.SOM | ss.EOM | ss.Text, ss.OK
}

// A client of a WebSocket subscribes on each connection anew. This server answers a subscription and hangs up.
func ExampleMessages() {
	const doc = `{"retry": [{"quick": {"backoff": [100], "conceal": 65535, "jitterpc": 0}}], "s": [
		{"feed": {"endpoint": "10.0.0.1", "port": 80, "protocol": "ws", "http_url": "/", "nailed_up": true, "retry": "quick"}},
		{"server": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "ws"}}]}`

	server := func(*ss.Handle) ss.Stream {
		m := &struct {
			ss.Messages
			ss.Queue
		}{}
		m.OnMessage = func(h *ss.Handle, text []byte, _ ss.Flags) ss.Ret {
			if err := m.Put(h, append([]byte("tick after "), text...)); err != nil {
				return ss.DisconnectMe
			}
			h.After(time.Second, h.Disconnect)
			return ss.OK
		}
		return m
	}

	ticks := 0
	client := func(*ss.Handle) ss.Stream {
		return &subscriber{ss.Messages{OnMessage: func(h *ss.Handle, m []byte, _ ss.Flags) ss.Ret {
			fmt.Printf("%s\n", m)
			if ticks++; ticks == 2 {
				return stop(h)
			}
			return ss.OK
		}}}
	}
	err := ss.Run(context.Background(), simulated(doc), ss.Info{StreamType: "server", New: server}, ss.Info{StreamType: "feed", New: client})
	fmt.Println(err)
	// Output:
	// tick after subscribe
	// tick after subscribe
	// <nil>
}

// member is one connection to a chat.
type member struct {
	ss.Messages
	ss.Queue
}

// A server sends each message that it receives to everybody who is connected.
func ExampleHandle_ForEachClient() {
	const doc = `{"s": [
		{"chat": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "ws"}},
		{"member": {"endpoint": "10.0.0.1", "port": 80, "protocol": "ws", "http_url": "/", "nailed_up": true}}]}`

	server := func(*ss.Handle) ss.Stream {
		return &member{Messages: ss.Messages{OnMessage: func(h *ss.Handle, text []byte, _ ss.Flags) ss.Ret {
			h.Server().ForEachClient(func(c *ss.Handle) {
				if err := c.Stream().(*member).Put(c, text); err != nil {
					c.Destroy() // it does not read
				}
			})
			return ss.OK
		}}}
	}
	heard := 0
	client := func(h *ss.Handle) ss.Stream {
		m := &member{}
		m.OnMessage = func(h *ss.Handle, text []byte, _ ss.Flags) ss.Ret {
			fmt.Printf("%s\n", text)
			if heard++; heard == 3 {
				return stop(h)
			}
			return ss.OK
		}
		return m
	}
	speaker := func(h *ss.Handle) ss.Stream {
		m := client(h).(*member)
		h.After(time.Second, func() { m.Put(h, []byte("hello, all")) })
		return m
	}
	err := ss.Run(context.Background(), simulated(doc), ss.Info{StreamType: "chat", New: server},
		ss.Info{StreamType: "member", New: client}, ss.Info{StreamType: "member", New: client}, ss.Info{StreamType: "member", New: speaker})
	fmt.Println(err)
	// Output:
	// hello, all
	// hello, all
	// hello, all
	// <nil>
}

// lineClient prints what comes on a raw connection, line by line.
type lineClient struct {
	ss.Queue
	line []byte
}

// Rx receives bytes in any pieces.
func (c *lineClient) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	c.line = append(c.line, b...)
	for {
		line, rest, ok := bytes.Cut(c.line, []byte("\n"))
		if !ok {
			return ss.OK
		}
		fmt.Printf("%s\n", line)
		c.line = rest
		if string(line) == "bye" {
			return stop(h)
		}
	}
}

// A client speaks a protocol of lines over plain TCP. The server sends back what it receives.
func ExampleBase() {
	const doc = `{"s": [
		{"lines": {"endpoint": "10.0.0.1", "port": 7, "protocol": "raw", "opportunistic": true}},
		{"echo": {"server": true, "endpoint": "10.0.0.1", "port": 7, "protocol": "raw"}}]}`

	c := &lineClient{}
	err := ss.Run(context.Background(), simulated(doc), ss.Info{StreamType: "echo", New: func(*ss.Handle) ss.Stream { return &echoQueue{} }},
		ss.Info{StreamType: "lines", New: func(h *ss.Handle) ss.Stream {
			h.After(0, func() {
				for _, line := range []string{"hello\n", "bye\n"} {
					if err := c.Put(h, []byte(line)); err != nil {
						log.Fatal(err)
					}
				}
			})
			return c
		}})
	fmt.Println(err)
	// Output:
	// hello
	// bye
	// <nil>
}

// echoQueue sends back what it receives. Only Rx is its own: the rest is the Queue's, which has it from Base.
type echoQueue struct{ ss.Queue }

func (e *echoQueue) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	if len(b) > 0 && e.Put(h, b) != nil {
		return ss.DisconnectMe
	}
	return ss.OK
}

// A server has three routes. Its end is orderly: the slow answer, which has begun, is completed.
func ExampleRouter() {
	const doc = `{"s": [
		{"web": {"server": true, "endpoint": "10.0.0.1", "port": 80, "protocol": "h2"}},
		{"client": {"endpoint": "10.0.0.1", "port": 80, "protocol": "h2", "http_url": "${path}", "metadata": [{"path": ""}]}}]}`

	var r ss.Router
	r.HandleFunc("GET /hello/{name}", func(h *ss.Handle) ss.Ret {
		return ss.Reply(h, 200, "text/plain", fmt.Appendf(nil, "hello, %s", ss.PathValue(h, "name")))
	})
	r.HandleFunc("DELETE /all", func(h *ss.Handle) ss.Ret { return ss.Reply(h, 204, "", nil) })
	r.HandleFunc("GET /slow", func(h *ss.Handle) ss.Ret {
		h.After(time.Second, func() { ss.Reply(h, 200, "text/plain", []byte("at last")) })
		return ss.OK
	})

	c := simulated(doc)
	clients, err := ss.New(c) // on the same loop, and not drained with the server
	if err != nil {
		log.Fatal(err)
	}
	ask := func(path string) {
		h, err := clients.Create(ss.Info{StreamType: "client", New: func(*ss.Handle) ss.Stream {
			return &ss.Collector{Done: func(h *ss.Handle, body []byte, err error) ss.Ret {
				fmt.Printf("%s: %d %q\n", path, h.HTTPStatus(), body)
				return ss.DestroyMe
			}}
		}})
		if err == nil {
			err = h.SetMetadataString("path", path)
		}
		if err != nil {
			log.Fatal(err)
		}
		h.Connect()
	}
	ask("/hello/you")
	ask("/all")
	ask("/slow")
	clients.After(500*time.Millisecond, c.Loop.Stop) // the end begins half a second before the slow answer
	fmt.Println(ss.Run(context.Background(), c, ss.Info{StreamType: "web", New: r.New}))
	// Unordered output:
	// /hello/you: 200 "hello, you"
	// /all: 405 ""
	// /slow: 200 "at last"
	// <nil>
}

// Another goroutine hands events to a stream. Do returns when its function has run, or an error if the loop has ended.
func ExampleRuntime_Do() {
	p, err := policy.Parse([]byte(`{"s": [{"events": {"endpoint": "127.0.0.1", "port": 9, "protocol": "raw"}}]}`))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	handles := make(chan *ss.Handle, 1)
	over := make(chan error)
	go func() { // the other goroutine
		h := <-handles
		for i := range 3 {
			if err := h.Runtime().Do(ctx, func() { fmt.Println("event", i, "for", h.StreamType()) }); err != nil {
				log.Print(err)
			}
		}
		cancel()
		<-over // the program has ended
		err := h.Runtime().Do(context.Background(), func() {})
		fmt.Println("after the end:", errors.Is(err, ss.ErrClosed))
		over <- nil
	}()
	err = ss.Run(ctx, ss.Config{Policy: p}, ss.Info{StreamType: "events", New: func(h *ss.Handle) ss.Stream {
		handles <- h
		return ss.Base{}
	}})
	fmt.Println("Run:", err)
	over <- err
	<-over
	// Output:
	// event 0 for events
	// event 1 for events
	// event 2 for events
	// Run: <nil>
	// after the end: true
}
