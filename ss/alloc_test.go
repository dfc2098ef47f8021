package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// wantNone fails if step allocates in the steady state.
func wantNone(t *testing.T, what string, step func()) {
	t.Helper()
	for range 64 { // pools fill
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%s: got %v allocations, want 0", what, n)
	}
}

// TestNoAllocations: nothing that happens once per message allocates.
func TestNoAllocations(t *testing.T) {
	server := func(t *testing.T, request string, st func() ss.Stream) (step func()) {
		sys := newInstant(request)
		rt, arrive := benchAccept(t, sys, `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1","timeout_ms":1000,"http_multipart_ss_in":true,
			"metadata":[{"mime":"content-type:"},{"path":""},{"method":""},{"q":""}]}}]}`, st)
		return func() {
			was := rt.Counters.Transactions
			arrive()
			if rt.Counters.Transactions == was {
				t.Fatal("no transaction came about")
			}
		}
	}
	const get = "GET /path?q=value HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	t.Run("server GET", func(t *testing.T) {
		wantNone(t, "a transaction", server(t, get, func() ss.Stream { return hello{} }))
	})
	t.Run("server GET, pipelined", func(t *testing.T) {
		wantNone(t, "sixteen transactions", server(t, strings.Repeat(get, 16), func() ss.Stream { return hello{} }))
	})
	t.Run("server GET with a timeout", func(t *testing.T) {
		wantNone(t, "a transaction", server(t, get, func() ss.Stream { return timed{} }))
	})
	t.Run("server POST", func(t *testing.T) {
		wantNone(t, "a transaction", server(t, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			func() ss.Stream { return hello{} }))
	})
	t.Run("server POST, multipart", func(t *testing.T) {
		const body = "--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\n\r\ntwo\r\n--B--\r\n"
		wantNone(t, "a transaction", server(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/mixed; boundary=\"B\"\r\n"+
			"Content-Length: %d\r\n\r\n%s", len(body), body), func() ss.Stream { return hello{} }))
	})
	for _, c := range []struct {
		name string
		deep int
		post bool
	}{{"GET", 1, false}, {"GET, sixteen at a time", 16, false}, {"POST", 1, true}} {
		t.Run("server over h2: "+c.name, func(t *testing.T) {
			f, _, _, step := newH2Feed(t, c.deep, func() ss.Stream { return timed{} })
			f.post = c.post
			wantNone(t, "a read", step)
		})
	}
	client := func(t *testing.T, keys string) func() {
		sys := newInstant("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n")
		l, rt := benchRuntime(t, sys, `{"s":[{"cli":{"endpoint":"127.0.0.1","port":80,"protocol":"h1",`+keys+`}}]}`, func(c *ss.Config) {
			m := new(device.BlobMemory)
			m.Set(device.BlobAuth, 0, []byte("token"))
			c.Blobs = m
		})
		c := new(pouring)
		h, err := rt.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return c }})
		if err != nil {
			t.Fatal(err)
		}
		if h.Policy().MetadataIndex("m") >= 0 {
			h.SetMetadataString("m", "value")
		}
		if h.Policy().DirectProtoStr {
			h.SetMetadataString("x-direct", "value")
		}
		h.Connect()
		return func() {
			for was := c.n; c.n == was; {
				turn(t, l)
			}
		}
	}
	t.Run("client GET", func(t *testing.T) {
		wantNone(t, "a transaction", client(t, `"http_url":"/x"`))
	})
	t.Run("client GET with metadata", func(t *testing.T) {
		wantNone(t, "a transaction", client(t, `"http_url":"/${m}","metadata":[{"m":"x-m:"},{"mime":"content-type:"}]`))
	})
	t.Run("client GET with fields by name", func(t *testing.T) {
		wantNone(t, "a transaction", client(t, `"direct_proto_str":true`))
	})
	t.Run("client GET with a token", func(t *testing.T) {
		wantNone(t, "a transaction", client(t, `"http_auth_header":"authorization:","http_auth_preamble":"bearer ","auth_hexify":true`))
	})
	t.Run("client with a multipart body", func(t *testing.T) {
		step := client(t, `"http_method":"POST","http_multipart_name":"n","http_multipart_filename":"f","rideshare":"cli2"}},{"cli2":{"http_multipart_name":"m"`)
		wantNone(t, "a transaction", step)
	})
	t.Run("client GET that may be redirected", func(t *testing.T) {
		wantNone(t, "a transaction", client(t, `"allow_redirects":true,"perf":true`))
	})
	for _, n := range []int{1, 16} {
		t.Run(fmt.Sprintf("client GET over h2, %d streams", n), func(t *testing.T) {
			l, rt, all := benchClient2(t, n, `"http_url":"/${m}","metadata":[{"m":"x-m:"},{"mime":"content-type:"}]`)
			wantNone(t, "a transaction of each", func() {
				for was := all[n-1].n; all[n-1].n == was; {
					turn(t, l)
				}
			})
			if got := rt.Net().Counters.Dialled; got != 1 {
				t.Errorf("connections: got %d, want 1", got)
			}
		})
	}
	t.Run("raw message", func(t *testing.T) {
		sys := newInstant(strings.Repeat("x", 64))
		_, step := benchAccept(t, sys, rawDoc, func() ss.Stream { return new(echo) })
		wantNone(t, "a message back and forth", step)
	})
}

// timed is hello with a timeout in each transaction.
type timed struct{ hello }

func (s timed) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	if st == ss.ServerTxn {
		h.StartTimeout(time.Minute)
	}
	return s.hello.State(h, st, n)
}

// pouring makes one transaction after another, and sends a few bytes in each part of its body.
type pouring struct{ again }

func (c *pouring) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if h.Rideshare() == "cli" {
		h.RequestTx()
	}
	return copy(buf, "payload"), ss.SOM | ss.EOM, ss.OK
}
