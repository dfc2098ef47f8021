package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// askRouter sends requests to a server stream, one connection each over h1, and returns "status allow body" of each.
func askRouter(t *testing.T, protocol string, r *ss.Router, requests ...string) (answers []string) {
	t.Helper()
	w := newWorld(t, fmt.Sprintf(`{"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":%q}},
		{"GET":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,"http_url":"${u}","metadata":[{"u":""}],"direct_proto_str":true}},
		{"HEAD":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,"http_method":"HEAD","http_url":"${u}","metadata":[{"u":""}],"direct_proto_str":true}},
		{"POST":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,"http_method":"POST","http_url":"${u}","metadata":[{"u":""}],"direct_proto_str":true}},
		{"DELETE":{"endpoint":"10.0.0.2","port":80,"protocol":%[1]q,"http_method":"DELETE","http_url":"${u}","metadata":[{"u":""}],"direct_proto_str":true}}]}`, protocol), plan{})
	if _, err := w.Server.Runtime.Create(ss.Info{StreamType: "srv", New: r.New}); err != nil {
		t.Fatal(err)
	}
	for _, q := range requests {
		part := strings.Fields(q)
		s := &sender{}
		if len(part) > 2 {
			s.SetBytes([]byte(part[2]))
		}
		s.Limit = 1 << 20
		answer := ""
		s.Done = func(h *ss.Handle, body []byte, err error) ss.Ret {
			if err != nil {
				answer = err.Error()
				return ss.DestroyMe
			}
			answer = fmt.Sprint(h.HTTPStatus())
			for _, name := range []string{"allow", "content-type", "content-length"} {
				if v, ok := h.Metadata(name); ok && (name != "content-length" || part[0] == "HEAD") {
					answer += " " + string(v)
				}
			}
			if len(body) > 0 {
				answer += " " + string(body)
			}
			return ss.DestroyMe
		}
		h, err := w.Client.Runtime.Create(ss.Info{StreamType: part[0], New: func(*ss.Handle) ss.Stream { return s }})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.SetMetadataString("u", part[1]); err != nil {
			t.Fatal(err)
		}
		if len(part) > 2 {
			s.Request(h)
		} else {
			h.Connect()
		}
		w.Run(q, func() bool { return answer != "" })
		w.Settle()
		answers = append(answers, answer)
	}
	return answers
}

// stored is a stream behind a route: it echoes what a request brings, and counts.
type stored struct {
	ss.Collector
	ss.Body
	served int
}

func (s *stored) Tx(h *ss.Handle, n uint32, b []byte) (int, ss.Flags, ss.Ret) {
	return s.Body.Tx(h, n, b)
}

func TestRouter(t *testing.T) {
	say := func(name string) func(h *ss.Handle) ss.Ret {
		return func(h *ss.Handle) ss.Ret {
			return ss.Reply(h, 200, "t/p", fmt.Appendf(nil, "%s(%s)", name, ss.PathValue(h, "id")))
		}
	}
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			r := new(ss.Router)
			made, ended := 0, 0
			r.HandleFunc("/any/", say("any"))
			r.HandleFunc("GET /users/{id}", say("user"))
			r.HandleFunc("GET /users/me", say("me"))
			r.HandleFunc("DELETE /users/{id}", say("delete"))
			r.HandleFunc("GET /files/{id...}", say("files"))
			r.HandleFunc("GET /empty", func(h *ss.Handle) ss.Ret { return ss.Reply(h, 204, "", nil) })
			r.HandleFunc("GET /later", func(h *ss.Handle) ss.Ret {
				h.After(time.Second, func() { ss.Reply(h, 200, "", []byte("later")) })
				return ss.OK
			})
			r.HandleFunc("GET /large", func(h *ss.Handle) ss.Ret { return ss.Reply(h, 200, "", []byte(strings.Repeat("x", 200_000))) })
			r.HandleFunc("POST /items/{id}", func(h *ss.Handle) ss.Ret {
				return ss.ReadBody(h, 10, func(h *ss.Handle, body []byte) ss.Ret {
					return ss.Reply(h, 201, "t/p", fmt.Appendf(nil, "%s:%s", ss.PathValue(h, "id"), body))
				})
			})
			r.Handle("POST /stream", func(h *ss.Handle) ss.Stream {
				made++
				h.AddCleanup(new(ss.Cleanup), func() { ended++ })
				s := &stored{}
				s.Done = func(h *ss.Handle, body []byte, err error) ss.Ret {
					if err != nil {
						return ss.OK
					}
					s.served++
					s.SetBytes(append([]byte{}, body...))
					h.ServerAck(200)
					return s.Request(h)
				}
				return s
			})
			cases := [][2]string{
				{"GET /users/7", "200 t/p user(7)"},
				{"GET /users/me", "200 t/p me()"},
				{"HEAD /users/7", "200 t/p 7"},
				{"DELETE /users/7", "200 t/p delete(7)"},
				{"DELETE /users/me", "200 t/p delete(me)"},
				{"POST /users/7 x", "405 DELETE, GET, HEAD"},
				{"POST /users/me x", "405 DELETE, GET, HEAD"},
				{"GET /users/", "404"},
				{"GET /users/7/x", "404"},
				{"GET /nothing", "404"},
				{"GET /any/thing?q=1", "200 t/p any()"},
				{"POST /any/ x", "200 t/p any()"},
				{"GET /any", "404"},
				{"GET /files/a/b.c", "200 t/p files(a/b.c)"},
				{"GET /files/", "200 t/p files()"},
				{"GET /empty", "204"},
				{"GET /later", "200 later"},
				{"GET /large", "200 " + strings.Repeat("x", 200_000)},
				{"POST /items/9 body", "201 t/p 9:body"},
				{"POST /items/9 elevenbytes", "413"},
				{"POST /stream echo", "200 echo"},
				{"POST /stream again", "200 again"},
			}
			var requests []string
			for _, c := range cases {
				requests = append(requests, c[0])
			}
			for i, got := range askRouter(t, protocol, r, requests...) {
				if want := cases[i][1]; got != want {
					t.Errorf("%s: got %.80q, want %.80q", cases[i][0], got, want)
				}
			}
			if made != 1 {
				t.Errorf("streams made for one connection: got %d, want 1", made)
			}
		})
	}
}

// A pattern that is malformed, or matches what another one does, panics with the pattern in its text.
func TestRouterPatterns(t *testing.T) {
	for _, list := range [][]string{
		{"GET users"}, {"GET /{"}, {"/{}"}, {"/{a...}/b"}, {"GET /a/{x}", "GET /a/{y}"}, {"/a/", "/a/{rest...}"},
	} {
		func() {
			defer func() {
				last := list[len(list)-1]
				if e := recover(); e == nil || !strings.Contains(fmt.Sprint(e), last) {
					t.Errorf("%q: got %v, want a panic that names the last pattern", list, e)
				}
			}()
			r := new(ss.Router)
			for _, p := range list {
				r.HandleFunc(p, nil)
			}
		}()
	}
}

func TestReplyAllocatesNothing(t *testing.T) {
	body := []byte("hello\n")
	r := new(ss.Router)
	r.HandleFunc("GET /a", nil)
	r.HandleFunc("GET /{path}", func(h *ss.Handle) ss.Ret {
		if string(ss.PathValue(h, "path")) != "path" {
			return ss.DisconnectMe
		}
		return ss.Reply(h, 200, "text/plain", body)
	})
	for _, c := range []struct {
		name, request string
		new           func(h *ss.Handle) ss.Stream
	}{
		{"Reply", "GET /path HTTP/1.1\r\nHost: x\r\n\r\n", func(*ss.Handle) ss.Stream { return replier{body: body} }},
		{"Router", "GET /path HTTP/1.1\r\nHost: x\r\n\r\n", r.New},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, arrive := benchAcceptNew(t, newInstant(c.request), `{"s":[{"srv":{"server":true,"port":80,"protocol":"h1"}}]}`, c.new)
			wantNone(t, "a transaction", func() {
				was := rt.Counters.Transactions
				arrive()
				if rt.Counters.Transactions == was {
					t.Fatal("no transaction")
				}
			})
		})
	}
}

type replier struct {
	ss.Base
	body []byte
}

func (r replier) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		return ss.Reply(h, 200, "text/plain", r.body)
	}
	return ss.OK
}
