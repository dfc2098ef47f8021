package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/wsi"
)

// TestMetadata: values are copied, an empty value is a value, and the error for a wrong name lists the declared ones.
func TestMetadata(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1","metadata":[{"one":""},{"two":"x-two:"}]`, ""), plan{})
	h := w.Create("c", newScript())
	if v, ok := h.Metadata("one"); ok || v != nil {
		t.Errorf("an item that was never set: got %q (%v), want none", v, ok)
	}
	b := []byte("first")
	if err := h.SetMetadata("one", b); err != nil {
		t.Fatal(err)
	}
	copy(b, "XXXXX")
	if v, ok := h.Metadata("one"); !ok || string(v) != "first" {
		t.Errorf("after the caller changed its slice: got %q (%v), want \"first\"", v, ok)
	}
	if err := h.SetMetadata("one", nil); err != nil {
		t.Fatal(err)
	}
	if v, ok := h.Metadata("one"); !ok || len(v) != 0 {
		t.Errorf("set to nothing: got %q (%v), want an empty value", v, ok)
	}
	for _, err := range []error{h.SetMetadata("three", nil), h.SetMetadataString("three", "x")} {
		if !errors.Is(err, ss.ErrNoSuchMetadata) || !strings.Contains(err.Error(), `"three"`) || !strings.Contains(err.Error(), "one, two") {
			t.Errorf("an undeclared name: got %v, want ErrNoSuchMetadata that names it and the declared ones", err)
		}
	}
	if _, ok := h.Metadata("three"); ok {
		t.Error("an undeclared name has a value")
	}
}

// TestMetadataIsNotInherited: the next stream reuses the memory of one that ended, not its values.
func TestMetadataIsNotInherited(t *testing.T) {
	w := newWorld(t, `{"s":[{"few":{"endpoint":"10.0.0.2","port":80,"metadata":[{"a":""}]}},
		{"many":{"endpoint":"10.0.0.2","port":80,"metadata":[{"a":""},{"b":""},{"c":""}]}}]}`, plan{})
	for range 3 {
		for _, typ := range []string{"many", "few"} {
			h := w.Create(typ, newScript())
			for _, name := range []string{"a", "b", "c"} {
				if v, ok := h.Metadata(name); ok {
					t.Fatalf("a new %q has %s=%q", typ, name, v)
				}
			}
			h.SetMetadataString("a", strings.Repeat("secret", 100))
			if typ == "many" {
				h.SetMetadataString("c", "secret")
			}
			h.Destroy()
			w.Settle()
		}
	}
}

// TestEndpointFromMetadata: ${} in the endpoint is expanded at each attempt, after CONNECTING;
// connections to different addresses are not confused.
func TestEndpointFromMetadata(t *testing.T) {
	w := newWorld(t, `{"retry":[{"none":{"backoff":[700],"conceal":0}}],"s":[
		{"c":{"endpoint":"http://10.0.0.${host}:${port}/base","protocol":"h1","retry":"none","metadata":[{"host":""},{"port":""}]}},
		{"a":{"server":true,"port":80,"protocol":"h1","metadata":[{"path":""}]}},
		{"b":{"server":true,"port":81,"protocol":"h1","metadata":[{"path":""}]}}]}`, plan{})
	reply := func(name string) func(*script) {
		return func(s *script) {
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				path, _ := h.Metadata("path")
				s.Say = []byte(name + string(path))
				h.ServerAck(0)
				return h.RequestTx()
			})
		}
	}
	w.Serve("a", reply("a"))
	w.Serve("b", reply("b"))
	s := newScript()
	h := w.Create("c", s)
	for _, c := range []struct{ host, port, want string }{
		{"2", "80", "a/base"}, {"2", "81", "b/base"}, {"2", "81", "b/base"}, {"2", "80", "a/base"},
		{"2", "", ""}, {"2", "x", ""}, {"", "80", ""}, {"2", "80", "a/base"},
	} {
		s.When(ss.Connecting, func(h *ss.Handle) ss.Ret {
			h.SetMetadataString("host", c.host)
			h.SetMetadataString("port", c.port)
			return ss.OK
		})
		s.Got, s.Causes, s.States = nil, nil, nil
		h.Connect()
		w.Advance(4 * time.Second)
		if got := string(s.Got); got != c.want {
			t.Errorf("host %q, port %q: got %q, want %q; causes %v", c.host, c.port, got, c.want, s.Causes)
		}
		if c.want == "" && c.host == "2" {
			w.WantLife("the stream", s, "CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			w.WantCause(s, ss.ErrEndpoint)
		}
	}
}

// TestEndpointAndTLS: an endpoint's scheme can enable tls, but cannot disable the stream type's.
func TestEndpointAndTLS(t *testing.T) {
	for _, c := range []struct {
		policy, url string // the URL is the policy's own: no value can change a scheme
		dialled     string // "": the policy is refused
	}{
		{`"protocol":"h1"`, "https://10.0.0.2/", "10.0.0.2:443"},
		{`"protocol":"h1","tls":true`, "https://10.0.0.2:8443/", "10.0.0.2:8443"},
		{`"protocol":"h1","tls":true`, "http://10.0.0.2/", ""},
		{`"protocol":"raw","tls":true`, "tcp://10.0.0.2:9", ""},
	} {
		doc := `{"retry":[{"none":{"backoff":[700],"conceal":0}}],"s":[{"c":{"endpoint":"` + c.url + `",` + c.policy + `,"retry":"none"}}]}`
		if c.dialled == "" {
			if _, err := policy.Parse([]byte(doc)); err == nil || !strings.Contains(err.Error(), "without the TLS") {
				t.Errorf("%s, %s: got %v, want it refused for its scheme", c.url, c.policy, err)
			}
			continue
		}
		w := newWorld(t, doc, plan{})
		s := newScript()
		h := w.Create("c", s)
		h.Connect()
		w.Settle()
		w.WantLife("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
		var d *wsi.DialError
		if !errors.As(s.Causes[0], &d) || d.Target != c.dialled {
			t.Errorf("%s: got cause %v, want a refused dial of %s", c.url, s.Causes[0], c.dialled)
		}
	}
}
