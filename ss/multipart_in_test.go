package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

const partsDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"h2","http_multipart_ss_in":true,"direct_proto_str":true,
		"metadata":[{"mime":"content-type:"},{"what":"content-disposition:"},{"x":"x-x:"},{"len":"content-length:"}]}},
	{"plain":{"server":true,"port":80,"protocol":"h2","metadata":[{"mime":"content-type:"}]}},
	{"h1":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","opportunistic":true,"retry":"none","http_multipart_ss_in":true,
		"metadata":[{"mime":"content-type:"},{"what":"content-disposition:"},{"x":"x-x:"}]}},
	{"h2":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","opportunistic":true,"retry":"none","http_multipart_ss_in":true,
		"metadata":[{"mime":"content-type:"},{"what":"content-disposition:"},{"x":"x-x:"}]}}]}`

// story records messages in order: [ and ] for a group, (metadata "content") for a part.
func story(s *script, names ...string) *strings.Builder {
	var b strings.Builder
	var body []byte
	s.OnRx = func(h *ss.Handle, p []byte, f ss.Flags) ss.Ret {
		if f&ss.RelatedStart != 0 {
			b.WriteByte('[')
			if len(p) > 0 || f != ss.RelatedStart {
				b.WriteString("BAD START")
			}
			return ss.OK
		}
		if f&ss.SOM != 0 {
			b.WriteByte('(')
			for _, name := range names {
				if v, ok := h.Metadata(name); ok {
					fmt.Fprintf(&b, "%s=%s ", name, v)
				}
			}
			body = body[:0]
		}
		body = append(body, p...)
		if f&ss.EOM != 0 {
			fmt.Fprintf(&b, "%q)", body)
		}
		if f&ss.RelatedEnd != 0 {
			b.WriteByte(']')
		}
		return ss.OK
	}
	return &b
}

// partsStories are bodies with Content-Type multipart/mixed; boundary=B, and what streams receive of them.
var partsStories = []struct {
	name, body string
	direct     string // what a program receives that reads fields by name; "" for the same
	want       string
	fault      string // a word of the error
	status     string // of a server's answer
}{
	{name: "two parts", body: "--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\nContent-Disposition: d\r\nX-Part: 1\r\n\r\ntwo\r\n--B--\r\n",
		want: `[(mime=a/b "one")(what=d "two")]`, direct: `[(mime=a/b x=v len=N "one")(what=d x=v len=N Content-Disposition:=d x-part=1 "two")]`},
	{name: "an empty part", body: "--B\r\n\r\n\r\n--B--", want: `[("")]`, direct: `[(x=v len=N "")]`},
	{name: "no part", body: "--B--\r\n", want: `[]`},
	{name: "a part's field in place of the message's, but for that of others", body: "--B\r\nX-X: w\r\nContent-Length: 3\r\n\r\none\r\n--B--\r\n",
		want: `[("one")]`, direct: `[(x=v len=N x-x:=w "one")]`},
	{name: "more than its length", body: "--B\r\nContent-Length: 1\r\n\r\none\r\n--B--\r\n", want: `[("o")`, direct: `[(x=v len=N "o")`, fault: "more content", status: "400 content-length=0"},
	{name: "cut short", body: "--B\r\n\r\nabc", want: `[(`, direct: `[(x=v len=N `, fault: "ends before", status: "400 content-length=0"},
	{name: "not multipart", body: "hello", want: `[`, fault: "ends before", status: "400 content-length=0"},
	{name: "a bad header", body: "--B\r\nno colon\r\n\r\n\r\n--B--", want: `[`, fault: "colon", status: "400 content-length=0"},
	{name: "a large header", body: "--B\r\nA: " + strings.Repeat("x", 9000) + "\r\n\r\n\r\n--B--", want: `[`, fault: "exceeds the limit", status: "431 content-length=0"},
}

// TestPartsOfRequests: what a server stream receives of a multipart request, and the response to the client.
func TestPartsOfRequests(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		for _, c := range partsStories {
			w := newWorld(t, partsDoc, plan{})
			var got *strings.Builder
			w.Serve("srv", func(s *script) {
				got = story(s, "mime", "what", "x", "len", "Content-Disposition:", "x-x:", "x-part")
				inner := s.OnRx
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
					inner(h, b, f)
					if f&ss.RelatedEnd != 0 {
						h.ServerAck(0)
						return h.RequestTxLen(0)
					}
					return ss.OK
				}
			})
			p := w.peer(proto)
			q := p.ask("POST", "/", c.body, "Content-Type: multipart/mixed; boundary=B", "X-X: v")
			w.until(5*time.Second, q)
			if c.status == "" {
				c.status = "200 content-length=0"
			}
			q.want(c.name, c.status)
			want := c.want
			if c.direct != "" {
				want = c.direct
			}
			want = strings.ReplaceAll(want, "len=N", fmt.Sprint("len=", len(c.body)))
			if got.String() != want {
				t.Errorf("%s: the server received\n  got  %s\n  want %s", c.name, got, want)
			}
			first, bad := w.Accepted[0], uint64(0)
			if c.fault != "" {
				bad = 1
				w.Settle()
				if !first.Dead || len(first.Causes) == 0 || !strings.Contains(first.Causes[0].Error(), c.fault) {
					t.Errorf("%s: the stream received %s, %v; want its end, for %q", c.name, first.Life(), first.Causes, c.fault)
				}
			}
			if n := w.Server.Runtime.Counters.Malformed; n != bad {
				t.Errorf("%s: %d bodies counted as malformed, want %d", c.name, n, bad)
			}
		}
	})
}

// TestPartsOfResponses: what a client stream receives of a multipart response.
func TestPartsOfResponses(t *testing.T) {
	for _, proto := range protocols {
		for _, c := range partsStories {
			w := newWorld(t, partsDoc, plan{})
			w.Serve("plain", func(s *script) {
				s.Say = []byte(c.body)
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					h.ServerAck(0)
					h.SetMetadataString("mime", "multipart/mixed; boundary=B")
					return h.RequestTxLen(int64(len(c.body)))
				})
			})
			s := newScript()
			got := story(s, "mime", "what", "x")
			w.Create(proto, s).Connect()
			w.Advance(time.Second)
			if got.String() != c.want {
				t.Errorf("%s, %s: the client received\n  got  %s\n  want %s", proto, c.name, got, c.want)
			}
			if c.fault == "" {
				w.WantLife(proto+", "+c.name, s, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED")
				continue
			}
			w.WantLife(proto+", "+c.name, s, "CREATING CONNECTING CONNECTED DISCONNECTED")
			var e *http.ProtocolError
			if len(s.Causes) == 0 || !errors.As(s.Causes[0], &e) || !strings.Contains(e.Reason, c.fault) {
				t.Errorf("%s, %s: causes %v, want one with %q", proto, c.name, s.Causes, c.fault)
			}
			if n := w.Client.Runtime.Counters.Malformed; n != 1 {
				t.Errorf("%s, %s: %d bodies counted as malformed, want 1", proto, c.name, n)
			}
		}
	}
}

// TestPartsWithoutEnd: a camera's stream has far more than a thousand pictures; each is complete when its length has
// arrived, though its boundary includes the whole delimiter, and the next comes later. Config.Multipart sets the
// limits.
func TestPartsWithoutEnd(t *testing.T) {
	for _, proto := range protocols {
		for _, limited := range []bool{false, true} {
			w := newWorld(t, partsDoc, plan{Client: func(c *ss.Config) {
				if limited {
					c.Multipart.Rate = 10
				}
			}})
			const picture = "--cam\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\npicture\r\n"
			sent := 0
			w.Serve("plain", func(s *script) {
				s.QuietTx = true
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					h.ServerAck(0)
					h.SetMetadataString("mime", "multipart/x-mixed-replace; boundary=--cam")
					return h.RequestTx()
				})
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					f := ss.Flags(0)
					if sent == 0 {
						f = ss.SOM
					}
					sent++
					w.Net.At(50*time.Millisecond, func() { h.RequestTx() })
					return copy(buf, strings.TrimSuffix(picture, "\r\n")), f, ss.OK // what follows a picture comes with the next
				}
			})
			s := newScript()
			whole := 0
			s.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				if f&ss.EOM != 0 {
					whole++
				}
				return ss.OK
			}
			h := w.Create(proto, s)
			h.Connect()
			w.Run("the first picture", func() bool { return sent == 1 })
			w.Settle()
			if whole != 1 {
				t.Errorf("%s: complete pictures: got %d, want 1, as its length has come", proto, whole)
			}
			w.Advance(100 * time.Second)
			if limited {
				if whole != 10 || s.Told(ss.Disconnected) != 1 {
					t.Errorf("%s, at most 10 parts a second: told of %d, %s, want 10 and the end", proto, whole, s.Life())
				}
				continue
			}
			if whole != sent || whole < 1990 {
				t.Errorf("%s: complete pictures: got %d, want the %d that were sent in 100 s", proto, whole, sent)
			}
			w.WantLife(proto, s, "CREATING CONNECTING CONNECTED")
			h.Disconnect()
			w.Settle()
		}
	}
}

// TestPartsAreNone: bodies that are not split into parts.
func TestPartsAreNone(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		for _, c := range []struct{ name, method, mime, body, status, want string }{
			{"another type", "POST", "text/plain", "--B--", "200 content-length=0", `("--B--")`},
			{"no type", "POST", "", "--B--", "200 content-length=0", `("--B--")`},
			{"no body", "POST", "multipart/mixed; boundary=B", "", "200 content-length=0", `("")`},
			{"no boundary", "POST", "multipart/mixed", "--B--", "400 content-length=0", ""},
			{"a boundary that is none", "PUT", `multipart/mixed; boundary="a` + "\t" + `b"`, "--B--", "400 content-length=0", ""},
			{"one in quotes", "PUT", `multipart/mixed; boundary="B"`, "--B--", "200 content-length=0", "[]"},
		} {
			w := newWorld(t, partsDoc, plan{})
			got := new(strings.Builder)
			w.Serve("srv", func(s *script) {
				got = story(s)
				inner := s.OnRx
				s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
					inner(h, b, f)
					if f&(ss.EOM|ss.RelatedEnd) != 0 {
						h.ServerAck(0)
						return h.RequestTxLen(0)
					}
					return ss.OK
				}
			})
			p := w.peer(proto)
			var fields []string
			if c.mime != "" {
				fields = append(fields, "Content-Type: "+c.mime)
			}
			q := p.ask(c.method, "/", c.body, fields...)
			w.until(5*time.Second, q)
			q.want(c.name, c.status)
			if got.String() != c.want {
				t.Errorf("%s: the server received %s, want %s", c.name, got, c.want)
			}
		}
	})
}

// TestPartsBulk: bodies from the standard library arrive part by part over any network, in both directions, while
// streams pause and some end during a body; at the end all memory is freed.
func TestPartsBulk(t *testing.T) {
	for _, proto := range protocols {
		for seed := range uint64(150) {
			partsBulk(t, proto, seed)
			if t.Failed() {
				t.Fatalf("%s, seed %d", proto, seed)
			}
		}
	}
}

func partsBulk(t *testing.T, proto string, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 9))
	var body bytes.Buffer
	var want strings.Builder
	mw := multipart.NewWriter(&body)
	want.WriteByte('[')
	n := 1 + chance.IntN(6)
	for range n {
		content := bytes.Repeat([]byte("\r\n-"), chance.IntN(4))
		if chance.IntN(3) == 0 {
			content = bytes.Repeat([]byte{'\r', '\n', '-', 0}, chance.IntN(60000))
		}
		p, err := mw.CreatePart(textproto.MIMEHeader{"Content-Type": {fmt.Sprint("t/", len(content))}})
		if err != nil {
			t.Fatal(err)
		}
		p.Write(content)
		fmt.Fprintf(&want, "(mime=t/%d %q)", len(content), content)
	}
	mw.Close()
	want.WriteByte(']')
	w := newWorld(t, partsDoc, plan{Seed: seed, Net: sim.Options{ReadMax: 1 + chance.IntN(70000), ShortRead: 0.3, ShortWrite: 0.3}})
	w.Serve("plain", func(s *script) {
		s.Say, s.Piece, s.QuietTx = body.Bytes(), 1+chance.IntN(30000), true
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(0)
			h.SetMetadataString("mime", mw.FormDataContentType())
			return h.RequestTx()
		})
	})
	s := newScript()
	got := story(s, "mime")
	inner, leaves := s.OnRx, chance.IntN(4) == 0
	left := false
	s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		inner(h, b, f)
		switch chance.IntN(30) {
		case 0:
			h.Pause()
			w.Net.At(time.Duration(chance.IntN(50))*time.Millisecond, h.Resume)
		case 1:
			if leaves {
				left = true
				return []ss.Ret{ss.DisconnectMe, ss.DestroyMe}[chance.IntN(2)]
			}
		}
		return ss.OK
	}
	w.Create(proto, s).Connect()
	w.Run("the transaction", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.Unreachable) > 0 })
	switch {
	case left:
	case s.Told(ss.QOSAckRemote) != 1:
		t.Errorf("the stream received %s, %v", s.Life(), s.Causes)
	case got.String() != want.String():
		t.Errorf("%d parts in %d bytes: told %d bytes otherwise than sent", n, body.Len(), got.Len())
	}
}

// TestPartsOfRequestsBulk: several uploads at a time, some of them broken, to streams of which some pause, some
// answer early and some end during the body. The undisturbed ones receive everything; at the end all memory is freed.
func TestPartsOfRequestsBulk(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		seen := make(map[int]int)
		for seed := range uint64(150) {
			requestBulk(t, proto, seed, seen)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		for _, status := range []int{0, 200, 400, 403} {
			if seen[status] < 5 {
				t.Errorf("answers by status: %v; want some with %d", seen, status)
			}
		}
	})
}

func requestBulk(t *testing.T, proto string, seed uint64, seen map[int]int) {
	chance := rand.New(rand.NewPCG(seed, 11))
	w := newWorld(t, partsDoc, plan{Seed: seed, Net: sim.Options{ReadMax: 1 + chance.IntN(70000), ShortRead: 0.3, ShortWrite: 0.3}})
	told := make(map[string]bool)
	w.Serve("srv", func(s *script) {
		got := story(s, "mime")
		inner := s.OnRx
		s.When(ss.ServerTxn, func(*ss.Handle) ss.Ret { got.Reset(); return ss.OK })
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			inner(h, b, f)
			if f&ss.RelatedEnd != 0 {
				told[got.String()] = true
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			switch chance.IntN(60) {
			case 0:
				h.Pause()
				w.Net.At(time.Duration(chance.IntN(50))*time.Millisecond, h.Resume)
			case 1:
				return []ss.Ret{ss.DisconnectMe, ss.DestroyMe}[chance.IntN(2)]
			case 2:
				h.ServerAck(403)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	p := w.peer(proto)
	var calls []*call
	wants := make(map[*call]string)
	for range 1 + chance.IntN(4) {
		var body strings.Builder
		want := "["
		for range chance.IntN(4) {
			content := strings.Repeat("\r\n-", chance.IntN(3)*chance.IntN(10000))
			fmt.Fprintf(&body, "\r\n--B\r\nContent-Type: t/%d\r\n\r\n%s", len(content), content)
			want += fmt.Sprintf("(mime=t/%d %q)", len(content), content)
		}
		body.WriteString("\r\n--B--\r\n")
		text := body.String()
		if chance.IntN(4) == 0 { // a broken one
			text = text[:chance.IntN(len(text)-8)+1]
			want = ""
		}
		c := p.ask("POST", "/", text, "Content-Type: multipart/x; boundary=B")
		wants[c] = want + "]"
		calls = append(calls, c)
	}
	w.until(time.Minute, calls...)
	for i, c := range calls {
		seen[c.status]++
		switch {
		case !c.done:
			t.Errorf("call %d of %d is not over: %s\n%s", i, len(calls), c.seen(), w.Dump())
		case c.status == 200 && wants[c] == "]":
			t.Errorf("call %d: %d broken bytes were taken for a whole body", i, len(c.body))
		case c.status == 200 && !told[wants[c]]:
			t.Errorf("call %d: the stream was not told all of %d bytes", i, len(c.body))
		}
	}
}
