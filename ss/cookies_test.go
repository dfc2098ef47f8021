package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles/http/cookie"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

const cookieDoc = `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
	{"srv":{"server":true,"port":80,"protocol":"h2","metadata":[{"set":"set-cookie:"},{"to":"location:"},{"got":"cookie:"}]}},
	{"one":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/a/${p}","http_cookies":true,"opportunistic":true,"retry":"none",
		"allow_redirects":true,"metadata":[{"p":""},{"own":"cookie:"}]}},
	{"two":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/a/${p}","http_cookies":true,"opportunistic":true,"retry":"none",
		"metadata":[{"p":""}]}},
	{"shy":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","http_url":"/a/x","opportunistic":true,"retry":"none"}}]}`

// cookieWorld is a world whose server records the Cookie field of each request, and sends the next of sets.
type cookieWorld struct {
	*world
	sets []string // the next response's Set-Cookie, "" for none
	got  []string
}

func newCookieWorld(t *testing.T, p plan) *cookieWorld {
	w := &cookieWorld{world: newWorld(t, cookieDoc, p)}
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			v, _ := h.Metadata("got")
			w.got = append(w.got, string(v))
			h.ServerAck(200)
			if len(w.sets) > 0 {
				if where, ok := strings.CutPrefix(w.sets[0], "to "); ok {
					h.ServerAck(302)
					h.SetMetadataString("to", where)
				} else if w.sets[0] != "" {
					h.SetMetadataString("set", w.sets[0])
				}
				w.sets = w.sets[1:]
			}
			return h.RequestTxLen(0)
		})
	})
	return w
}

// get makes a request with a stream of its own, and returns the Cookie field that came with it.
func (w *cookieWorld) get(streamType, path string, meta ...string) string {
	w.t.Helper()
	s, n := newScript(), len(w.got)
	h := w.Create(streamType, s)
	if path != "" {
		h.SetMetadataString("p", path)
	}
	for i := 0; i+1 < len(meta); i += 2 {
		h.SetMetadataString(meta[i], meta[i+1])
	}
	h.Connect()
	w.Run("a response", func() bool { return s.Told(ss.Disconnected)+s.Told(ss.Unreachable) > 0 })
	h.Destroy()
	w.Settle()
	if len(w.got) == n {
		w.t.Fatalf("no request came: %s %v", s.Line(), s.Causes)
	}
	return w.got[len(w.got)-1]
}

func (w *cookieWorld) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestCookies: a cookie set over one protocol is sent over both, to its path, and only by streams
// with http_cookies.
func TestCookies(t *testing.T) {
	w := newCookieWorld(t, plan{})
	w.sets = []string{"a=1", "b=2; Path=/; Max-Age=60", "", "", "", "c=3; Secure", "d=4; Domain=0.0.2", ""}
	w.want("the first request", w.get("one", "x"), "")
	w.want("the second", w.get("two", "x"), "a=1")
	w.want("the third", w.get("two", "y/z"), "a=1; b=2")
	w.want("over h1", w.get("one", "y"), "a=1; b=2")
	w.want("of a stream without http_cookies", w.get("shy", ""), "")
	w.want("before a cookie that is Secure", w.get("two", "x"), "a=1; b=2")
	w.want("before a cookie for a domain that is not its server's", w.get("two", "x"), "a=1; b=2")
	w.want("after both", w.get("two", "x"), "a=1; b=2")
	w.want("with a value of the program's own", w.get("one", "x", "own", "mine=1"), "mine=1")
	w.Advance(time.Minute)
	w.want("when one has expired", w.get("one", "x"), "a=1")
}

// TestCookiesOnRedirects: the request after a redirect sends the cookies that the redirect set.
func TestCookiesOnRedirects(t *testing.T) {
	w := newCookieWorld(t, plan{})
	w.sets = []string{"a=1; Path=/a/x", "to /b", ""}
	w.get("one", "x")
	w.want("where the redirect leads, which is not the cookie's path", w.get("one", "x"), "")
	w.want("before it", w.got[1], "a=1")
}

// fakeStore is a CookieStore in memory.
type fakeStore struct {
	text           string
	loads, saves   int
	loadErr, saved error
}

func (f *fakeStore) Load(loop.Files) ([]byte, error)   { f.loads++; return []byte(f.text), f.loadErr }
func (f *fakeStore) Save(_ loop.Files, b []byte) error { f.saves++; f.text = string(b); return f.saved }

// TestCookieStore: the store is read before the first request of any stream, written after changes, not
// too often, and at the end.
func TestCookieStore(t *testing.T) {
	for seed := range uint64(30) {
		f := &fakeStore{text: "10.0.0.2\tFALSE\t/\tFALSE\t32000000000\told\t1\nrubbish\n"}
		jar := &cookie.Jar{}
		w := newCookieWorld(t, plan{Seed: seed, Net: sim.Options{OffloadMax: 50 * time.Millisecond}, Client: func(c *ss.Config) {
			c.Cookies = device.Cookies{Jar: jar, Store: f, Every: 10 * time.Second}
		}})
		w.want("a stream that needs no cookies does not read them", w.get("shy", ""), "")
		if f.loads != 0 {
			t.Errorf("read %d times before anybody asked", f.loads)
		}
		// Several at once; one of them does not wait for the store.
		var all []*script
		for range 3 {
			s := newScript()
			w.Create("two", s).Connect()
			all = append(all, s)
		}
		all[1].Handle.Destroy()
		w.Run("two responses", func() bool { return all[0].Told(ss.Disconnected)+all[2].Told(ss.Disconnected) == 2 })
		w.want("the first after the store was read", w.got[len(w.got)-1], "old=1")
		if f.loads != 1 || jar.Counters.BadLines != 1 || f.saves != 0 {
			t.Errorf("read %d times with %d bad lines, written %d times; want 1, 1, 0", f.loads, jar.Counters.BadLines, f.saves)
		}
		w.sets = []string{"n=1; Max-Age=600", "n=2; Max-Age=600", "n=3; Max-Age=600"}
		w.get("one", "x")
		w.Advance(100 * time.Millisecond)
		if f.saves != 1 || !strings.Contains(f.text, "\tn\t1\n") {
			t.Errorf("written %d times, %q; want n=1 at once", f.saves, f.text)
		}
		w.get("one", "x")
		w.Advance(time.Second)
		if f.saves != 1 {
			t.Errorf("written %d times within Every, want 1", f.saves)
		}
		w.Advance(10 * time.Second)
		if f.saves != 2 || !strings.Contains(f.text, "\tn\t2\n") {
			t.Errorf("written %d times, %q; want n=2 after Every", f.saves, f.text)
		}
		w.get("one", "x")
		if seed%2 == 0 {
			over := false
			w.Client.Runtime.Drain(func() { over = true })
			w.Run("the drain", func() bool { return over })
		} else {
			w.Client.Runtime.Close()
			w.Advance(time.Second)
		}
		if f.saves != 3 || !strings.Contains(f.text, "\tn\t3\n") || !strings.Contains(f.text, "\told\t1\n") {
			t.Errorf("seed %d: written %d times, %q; want all of it at the end", seed, f.saves, f.text)
		}
		w.End()
	}
}

// TestCookieStoreFails: requests work although the store cannot be read or written.
func TestCookieStoreFails(t *testing.T) {
	f := &fakeStore{loadErr: errors.New("no disk"), saved: errors.New("still none")}
	w := newCookieWorld(t, plan{Client: func(c *ss.Config) { c.Cookies = device.Cookies{Store: f} }})
	w.sets = []string{"a=1; Max-Age=9"}
	w.want("the first request", w.get("one", "x"), "")
	w.want("the second", w.get("one", "x"), "a=1")
	if f.saves != 1 {
		t.Errorf("written %d times, want 1: what has not changed again is not tried again", f.saves)
	}
}
