package ss_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

const multipartKeys = `"http_method":"POST","http_multipart_name":"n","http_multipart_filename":"f.txt","http_multipart_content_type":"text/plain"`

var boundaryIn = regexp.MustCompile("[0-9a-f]{32}")

// TestMultipartOnTheWire: the bytes of a multipart or form body, and the calls of Tx.
func TestMultipartOnTheWire(t *testing.T) {
	const (
		head  = "POST / HTTP/1.1|Host: 10.0.0.2|"
		ctype = "Content-Type: multipart/form-data; boundary=B|"
		part  = "--B|Content-Disposition: form-data; name=\"n\"; filename=\"f.txt\"|Content-Type: text/plain||"
		end   = "|--B--|"
		whole = ` CONNECTED QOS_ACK_REMOTE DISCONNECTED`
	)
	for _, c := range []struct {
		name  string
		keys  string
		more  string // stream types
		until string
		setup func(s *script, h *ss.Handle)
		want  string // with | for line ends and B for the boundary
		line  string
	}{
		{name: "without length", keys: multipartKeys, until: "0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTx() },
			want:  head + "Transfer-Encoding: chunked|" + ctype + "|00a8|" + part + "body" + end + "|0||",
			line:  `CREATING POLL CONNECTING tx("body"|SOM|EOM)` + whole},
		{name: "with the length of the payload", keys: multipartKeys, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTxLen(4) },
			want:  head + "Content-Length: 168|" + ctype + "|" + part + "body" + end,
			line:  `CREATING POLL CONNECTING tx("body"|SOM|EOM)` + whole},
		{name: "in pieces", keys: multipartKeys, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say, s.Piece = []byte("body"), 2; h.RequestTxLen(4) },
			want:  head + "Content-Length: 168|" + ctype + "|" + part + "body" + end,
			line:  `CREATING POLL CONNECTING tx("bo"|SOM) tx("dy"|EOM)` + whole},
		{name: "the announced length ends a body that has no EOM", keys: multipartKeys, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say, s.NoEOM = []byte("body"), true; h.RequestTxLen(4) },
			want:  head + "Content-Length: 168|" + ctype + "|" + part + "body" + end,
			line:  `CREATING POLL CONNECTING tx("body"|SOM)` + whole},
		{name: "a payload of no length: no Tx", keys: multipartKeys, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) { h.RequestTxLen(0) },
			want:  head + "Content-Length: 164|" + ctype + "|" + part + end,
			line:  `CREATING POLL CONNECTING` + whole},
		{name: "EOM alone", keys: multipartKeys, until: "0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { h.RequestTx() },
			want:  head + "Transfer-Encoding: chunked|" + ctype + "|00a4|" + part + end + "|0||",
			line:  `CREATING POLL CONNECTING tx(""|SOM|EOM)` + whole},
		{name: "Tx passes: nothing goes out before there is something", keys: multipartKeys, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) {
				first := true
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					if first {
						first = false
						s.World.Net.At(time.Second, func() { h.RequestTx() })
						return 0, 0, ss.TxDontSend
					}
					return copy(buf, "late"), ss.SOM | ss.EOM, ss.OK
				}
				h.RequestTxLen(4)
			},
			want: head + "Content-Length: 168|" + ctype + "|" + part + "late" + end},
		{name: "begun by Connect", keys: `"http_multipart_name":"q\"n"`, until: "0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("x"); h.Connect() },
			want: "GET / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked|" + ctype + "|007d|--B|" +
				`Content-Disposition: form-data; name="q%22n"||x` + end + "|0||"},
		{name: "http_no_content_length", keys: multipartKeys + `,"http_no_content_length":true`, until: "0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTxLen(4) },
			want:  head + "Transfer-Encoding: chunked|" + ctype + "|00a8|" + part + "body" + end + "|0||"},
		{name: "a Content-Type of the program's gives way", keys: multipartKeys + `,"metadata":[{"t":"content-type:"},{"x":"x-x:"}]`, until: "--\r\n",
			setup: func(s *script, h *ss.Handle) {
				s.Say = []byte("body")
				h.SetMetadataString("t", "text/html")
				h.SetMetadataString("x", "y")
				h.RequestTxLen(4)
			},
			want: head + "Content-Length: 168|x-x: y|" + ctype + "|" + part + "body" + end},
		{name: "a stream type that rides along", keys: multipartKeys + `,"rideshare":"second"`, until: "0\r\n\r\n",
			more:  `,{"second":{"http_mime_content_type":"audio/x","rideshare":"third"}},{"third":{"protocol":"raw"}}`,
			setup: ride("one|two|three"),
			want: head + "Transfer-Encoding: chunked|" + ctype + "|00e7|" + part + "one" +
				"|--B|Content-Disposition: form-data; name=\"\"|Content-Type: audio/x|||0054|two" +
				"|--B|Content-Disposition: form-data; name=\"\"|||002d|three" + end + "|0||",
			line: `CREATING POLL CONNECTING tx("one"|SOM|EOM) tx("two"|SOM|EOM) tx("three"|SOM|EOM)` + whole},
		{name: "with the length of all payload", keys: multipartKeys + `,"rideshare":"second"`, until: "--\r\n",
			more: `,{"second":{"http_multipart_name":"m"}}`,
			setup: func(s *script, h *ss.Handle) {
				ride("one|two")(s, h)
				h.RequestTxLen(6)
			},
			want: head + "Content-Length: 252|" + ctype + "|" + part + "one" + "|--B|Content-Disposition: form-data; name=\"m\"||two" + end},
		{name: "a part for which nothing is left is asked for all the same", keys: multipartKeys + `,"rideshare":"second"`, until: "--\r\n",
			more: `,{"second":{"http_multipart_name":"m"}}`,
			setup: func(s *script, h *ss.Handle) {
				ride("one|")(s, h)
				h.RequestTxLen(3)
			},
			want: head + "Content-Length: 249|" + ctype + "|" + part + "one" + "|--B|Content-Disposition: form-data; name=\"m\"||" + end,
			line: `CREATING POLL CONNECTING tx("one"|SOM|EOM) tx(""|SOM|EOM)` + whole},
		{name: "parts of no payload at all: no Tx", keys: multipartKeys + `,"rideshare":"second"`, until: "--\r\n",
			more:  `,{"second":{"http_multipart_name":"m"}}`,
			setup: func(s *script, h *ss.Handle) { h.RequestTxLen(0) },
			want:  head + "Content-Length: 246|" + ctype + "|" + part + "|--B|Content-Disposition: form-data; name=\"m\"||" + end,
			line:  `CREATING POLL CONNECTING` + whole},
		{name: "a rideshare that leads back ends there", keys: multipartKeys + `,"rideshare":"second"`, until: "0\r\n\r\n",
			more:  `,{"second":{"http_multipart_name":"m","rideshare":"c"}}`,
			setup: ride("one|two"),
			want: head + "Transfer-Encoding: chunked|" + ctype + "|00d1|" + part + "one" +
				"|--B|Content-Disposition: form-data; name=\"m\"|||002b|two" + end + "|0||"},
		{name: "rideshare means nothing without multipart", keys: `"http_method":"POST","rideshare":"second"`, until: "0\r\n\r\n",
			more:  `,{"second":{"http_multipart_name":"m"}}`,
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("body"); h.RequestTx() },
			want:  head + "Transfer-Encoding: chunked||0004|body|0||"},
		{name: "a form", keys: `"http_method":"POST","http_www_form_urlencoded":true,"metadata":[{"t":"content-type:"}]`, until: "a=b",
			setup: func(s *script, h *ss.Handle) {
				s.Say = []byte("a=b")
				h.SetMetadataString("t", "text/html")
				h.RequestTxLen(3)
			},
			want: head + "Content-Length: 3|Content-Type: application/x-www-form-urlencoded||a=b"},
		{name: "a form without length, by a method that has no body of itself", keys: `"http_method":"QUERY","http_www_form_urlencoded":true`, until: "0\r\n\r\n",
			setup: func(s *script, h *ss.Handle) { s.Say = []byte("a=b"); h.RequestTx() },
			want:  "QUERY / HTTP/1.1|Host: 10.0.0.2|Transfer-Encoding: chunked|Content-Type: application/x-www-form-urlencoded||0003|a=b|0||"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(`"protocol":"h1",`+c.keys+`,"retry":"none","opportunistic":true`, rawServer+c.more), plan{})
			wire := ""
			w.Serve("srv", tap(&wire, speak(c.until, okEmpty, false)))
			s := newScript()
			h := w.Create("c", s)
			c.setup(s, h)
			w.Advance(5 * time.Second)
			got := strings.ReplaceAll(boundaryIn.ReplaceAllString(wire, "B"), "\r\n", "|")
			if got != c.want {
				t.Errorf("on the wire\n  got  %s\n  want %s", got, c.want)
			}
			if c.line != "" {
				w.WantLine("the stream", s, c.line)
			}
		})
	}
}

// ride makes a stream return a payload for each part, and check Rideshare.
func ride(payloads string) func(*script, *ss.Handle) {
	list := strings.Split(payloads, "|")
	names := []string{"c", "second", "third"}
	return func(s *script, h *ss.Handle) {
		i := 0
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			if i == len(list) {
				s.World.T.Errorf("Tx was asked for more than there are parts")
				return 0, 0, ss.TxDontSend
			}
			if got := h.Rideshare(); got != names[i] {
				s.World.T.Errorf("part %d: Rideshare says %q, want %q", i, got, names[i])
			}
			n := copy(buf, list[i])
			if i++; i < len(list) {
				h.RequestTx()
			}
			return n, ss.SOM | ss.EOM, ss.OK
		}
		if got := h.Rideshare(); got != "c" {
			s.World.T.Errorf("before the body: Rideshare says %q, want %q", got, "c")
		}
		h.RequestTx()
	}
}

const bulkDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"h2","metadata":[{"type":"content-type:"},{"len":"content-length:"}]}},
	{"h1":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","opportunistic":true,"retry":"none",` + multipartKeys + `,"rideshare":"b"}},
	{"h2":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","opportunistic":true,"retry":"none",` + multipartKeys + `,"rideshare":"b"}},
	{"b":{"http_multipart_name":"second","rideshare":"c"}},{"c":{"http_multipart_filename":"third"}}]}`

// TestMultipartBulk: payloads of all sizes, returned in different pieces, over networks that fragment them and
// through windows of a few bytes, arrive as the standard library reads them, and the announced length is right.
func TestMultipartBulk(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		for seed := range uint64(200) {
			multipartBulk(t, proto, seed)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	})
}

func multipartBulk(t *testing.T, proto string, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 7))
	window := int32([]int{0, 1, 50, 1000, 60000}[chance.IntN(4)])
	most := []int{0, 1, 10, 300, 60000}[chance.IntN(5)]
	if window == 1 {
		most = min(most, 300)
	}
	w := newWorld(t, bulkDoc, plan{Seed: seed, Net: sim.Options{ReadMax: 1 + chance.IntN(5000), WriteMax: 1 + chance.IntN(70000), ShortWrite: 0.3, ShortRead: 0.3},
		Server: func(c *ss.Config) {
			if window > 0 {
				cfg := h2.DefaultConfig()
				cfg.Limits.Window = window
				c.H2 = &cfg
			}
		}})
	var body []byte
	var ctype, length string
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			v, _ := h.Metadata("type")
			n, _ := h.Metadata("len")
			ctype, length = string(v), string(n)
			return ss.OK
		})
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			if body = append(body, b...); f&ss.EOM != 0 {
				h.ServerAck(0)
				return h.RequestTxLen(0)
			}
			return ss.OK
		}
	})
	names, files := []string{"n", "second", ""}, []string{"f.txt", "", "third"}
	var payload [3][]byte
	sum := 0
	for i := range payload {
		for range chance.IntN(most + 1) {
			payload[i] = append(payload[i], "\r\n-x"[chance.IntN(4)])
		}
		sum += len(payload[i])
	}
	s := newScript()
	part, at := 0, 0
	s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, _ ss.Ret) {
		if chance.IntN(4) == 0 {
			w.Net.At(time.Duration(chance.IntN(10))*time.Millisecond, func() { h.RequestTx() })
			return 0, 0, ss.TxDontSend
		}
		if at == 0 {
			f = ss.SOM
		}
		if chance.IntN(2) == 0 {
			buf = buf[:1+chance.IntN(len(buf))]
		}
		n = copy(buf, payload[part][at:])
		if at += n; at == len(payload[part]) {
			f |= ss.EOM
			part, at = part+1, 0
		}
		if part < 3 {
			h.RequestTx()
		}
		return n, f, ss.OK
	}
	// The first request comes back with the peer's settings: windows below 64 KiB hold from then on.
	before := newScript()
	w.Create(proto, before).RequestTxLen(0)
	w.Run("the first transaction", func() bool { return before.Told(ss.Disconnected)+before.Told(ss.Unreachable) > 0 })
	body = body[:0]
	h := w.Create(proto, s)
	announced := chance.IntN(2) == 0 && len(payload[2]) > 0
	if announced {
		h.RequestTxLen(int64(sum))
	} else {
		h.RequestTx()
	}
	w.Run("the transaction", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.Unreachable) > 0 })
	if s.Told(ss.QOSAckRemote) != 1 {
		t.Fatalf("the stream received %s, %v", s.Life(), s.Causes)
	}
	if want := fmt.Sprint(len(body)); announced && length != want || !announced && length != "" {
		t.Errorf("Content-Length %q, announced: %v, the body has %s bytes", length, announced, want)
	}
	_, params, err := mime.ParseMediaType(ctype)
	if err != nil {
		t.Fatalf("%q: %v", ctype, err)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for i := range payload {
		p, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		if err != nil || !bytes.Equal(got, payload[i]) || p.FormName() != names[i] || p.FileName() != files[i] {
			t.Errorf("part %d: %q, %q with %d bytes (%v), want %q, %q with %d", i, p.FormName(), p.FileName(), len(got), err, names[i], files[i], len(payload[i]))
		}
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("behind the last part: %v, want EOF", err)
	}
}
