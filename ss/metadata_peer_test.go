package ss_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// respDoc has a client whose metadata and fields have the same names as those of its server's responses.
func respDoc(proto string) string {
	return `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"` + proto + `","http_method":"POST","http_url":"/${x-page}","retry":"none","opportunistic":true,"direct_proto_str":true,
		"metadata":[{"mime":"content-type:"},{"auth":"authorization:"},{"x-page":"x-page:"},{"never":"x-never:"}]}},
	{"web":{"server":true,"port":80,"protocol":"h2","direct_proto_str":true,"metadata":[{"method":""},{"path":""},{"in":"content-type:"},{"cred":"authorization:"}]}}]}`
}

// TestResponseFieldsAreNeverSent: the fields of a response can be read until the next attempt starts. They never
// replace what the program has set, and are never sent: neither as a field, nor as a part of the URL.
func TestResponseFieldsAreNeverSent(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		w := newWorld(t, respDoc(proto), plan{})
		var asked []string
		w.Serve("web", func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				line := ""
				for _, n := range []string{"method", "path", "in", "cred", "x-page", "x-never", "x-free", "x-other"} {
					if v, ok := h.Metadata(n); ok {
						line += n + "=" + string(v) + " "
					}
				}
				asked = append(asked, strings.TrimSpace(line))
				for n, v := range map[string]string{"in": "text/html", "cred": "Bearer theirs", "x-page": "theirs", "x-never": "theirs", "x-free": "theirs", "x-other": "theirs"} {
					if err := h.SetMetadataString(n, v); err != nil {
						t.Error(err)
					}
				}
				h.ServerAck(0)
				return h.RequestTxLen(0)
			})
		})
		s := newScript()
		s.Say = []byte("{}")
		names := []string{"mime", "auth", "x-page", "never", "x-free"}
		look := func(want ...string) func(h *ss.Handle) ss.Ret {
			return func(h *ss.Handle) ss.Ret {
				for i, n := range names {
					got := "-"
					if v, ok := h.Metadata(n); ok {
						got = string(v)
					}
					if got != want[i] {
						t.Errorf("%s: Metadata(%q): got %q, want %q", s.Life(), n, got, want[i])
					}
				}
				return ss.OK
			}
		}
		ours := look("application/json", "-", "mine", "-", "free")
		theirs := look("text/html", "Bearer theirs", "theirs", "theirs", "free")
		s.When(ss.Poll, theirs).When(ss.Connecting, ours).When(ss.Connected, theirs).When(ss.QOSAckRemote, theirs).When(ss.Disconnected, theirs)
		h := w.Create("c", s)
		h.SetMetadataString("mime", "application/json")
		h.SetMetadataString("x-page", "mine")
		h.SetMetadataString("x-free", "free")
		delete(s.On, ss.Poll)
		const want = "method=POST path=/mine in=application/json x-page=mine x-free=free"
		for i := range 3 {
			h.RequestTxLen(2)
			w.Advance(time.Second)
			if len(asked) != i+1 || asked[i] != want {
				t.Fatalf("request %d: got %q, want %q; told %s", i, asked, want, s.Life())
			}
			s.When(ss.Poll, theirs)
		}
		// What the program sets after a response is read and sent.
		h.SetMetadataString("mime", "text/mine")
		if v, _ := h.Metadata("mime"); string(v) != "text/mine" {
			t.Errorf("set after a response: read %q, want text/mine", v)
		}
		delete(s.On, ss.Poll)
		s.When(ss.Connecting, look("text/mine", "-", "mine", "-", "free"))
		h.RequestTxLen(2)
		w.Advance(time.Second)
		if got := asked[len(asked)-1]; got != strings.Replace(want, "application/json", "text/mine", 1) {
			t.Errorf("the last request: got %q", got)
		}
	})
}

// TestPartFieldsAreNeverSent: the header of a part of a response is never sent either.
func TestPartFieldsAreNeverSent(t *testing.T) {
	w := newWorld(t, clientDoc(`"http_method":"POST","http_multipart_ss_in":true,"opportunistic":true,
		"metadata":[{"mime":"content-type:"},{"lang":"content-language:"},{"what":"content-disposition:"}]`, twoServers), plan{})
	const parts = "--b\r\nContent-Type: text/html\r\nContent-Disposition: x\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--"
	r := &routes{fields: []string{"Content-Type", "Content-Language", "Content-Disposition"}, answer: map[string]string{
		"80 POST /": fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(parts), parts)}}
	w.Serve("srv", r.play("80"))
	s := newScript()
	s.Say = []byte("{}")
	var read []string
	s.OnRx = func(h *ss.Handle, _ []byte, f ss.Flags) ss.Ret {
		if f&ss.SOM != 0 {
			line := ""
			for _, n := range []string{"mime", "lang", "what"} {
				if v, ok := h.Metadata(n); ok {
					line += n + "=" + string(v) + " "
				}
			}
			read = append(read, strings.TrimSpace(line))
		}
		return ss.OK
	}
	h := w.Create("c", s)
	h.SetMetadataString("mime", "application/json")
	h.SetMetadataString("lang", "de")
	for range 2 {
		h.RequestTxLen(2)
		w.Advance(time.Second)
	}
	const one = "80 POST / Content-Type=application/json Content-Language=de {}"
	if got := strings.Join(r.asked, ", "); got != one+", "+one || s.Told(ss.QOSAckRemote) != 2 {
		t.Errorf("asked %s, want twice %s; causes %v", got, one, s.Causes)
	}
	if got := strings.Join(read, ", "); got != "mime=text/html what=x, , mime=text/html what=x, " {
		t.Errorf("read of the parts: %q", got)
	}
}

// TestRequestFieldsAreNotEchoed: what the program has set for the response stays, whatever a request has under the
// same names, and the response does not contain the request's values.
func TestRequestFieldsAreNotEchoed(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		w := newWorld(t, `{"s":[{"web":{"server":true,"port":80,"protocol":"h2","direct_proto_str":true,
			"metadata":[{"mime":"content-type:"},{"cred":"authorization:"},{"path":"x-path:"},{"id":"x-id:"},{"q":"x-q:"}]}}]}`, plan{})
		w.Serve("web", func(s *script) {
			// Before the first request, so that it is there when the request comes.
			s.When(ss.Connecting, func(h *ss.Handle) ss.Ret {
				h.SetMetadataString("path", "ours")
				return ss.OK
			})
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				if v, _ := h.Metadata("path"); string(v) != "/a" {
					t.Errorf("the path of the request: read %q, want /a", v)
				}
				h.SetMetadataString("mime", "text/ours")
				h.ServerAck(0)
				return h.RequestTxLen(0)
			})
		})
		p := w.peer(proto)
		q := p.ask("POST", "/a?q=1", "abc", "Content-Type: text/theirs", "Authorization: Basic theirs", "X-Path: theirs", "X-Id: theirs", "X-Free: theirs")
		w.until(5*time.Second, q)
		q.want("the answer", "200 content-length=0 content-type=text/ours x-path=ours")
	})
}
