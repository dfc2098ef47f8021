package interop

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// TestCookiesAgainstNetHTTP: a net/http server sets cookies of several types and checks what the client returns, over HTTP/1.1
// and HTTP/2, in clear and under TLS. Persistent cookies go to a file that the next process and curl read.
func TestCookiesAgainstNetHTTP(t *testing.T) {
	list, head := fronts(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got []string
		for _, c := range r.Cookies() {
			got = append(got, c.Name+"="+c.Value)
		}
		if len(got) == 0 {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "lasting", Value: "l", Path: "/", MaxAge: 600, HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "secure", Value: "x", Path: "/", Expires: time.Now().Add(time.Hour), Secure: true})
			http.SetCookie(w, &http.Cookie{Name: "elsewhere", Value: "e", Path: "/other"})
			http.SetCookie(w, &http.Cookie{Name: "theirs", Value: "t", Path: "/", Domain: "example.com"})
		}
		fmt.Fprint(w, strings.Join(got, "; "))
	}))
	for _, f := range list {
		file := filepath.Join(t.TempDir(), "cookies.txt")
		doc := head + f.keys + `,"http_url":"/a/b","http_cookies":true}}]}`
		visits := func(want ...string) {
			t.Helper()
			s := newSceneWith(t, doc, func(c *ss.Config) { c.Cookies = device.Cookies{Store: device.CookieFile(file)} })
			var got []string
			x := &call{}
			x.over = func(h *ss.Handle) ss.Ret {
				if got = append(got, x.body.String()); len(got) < len(want) {
					return h.Connect()
				}
				return ss.DestroyMe
			}
			s.play(x, "c")
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%s: the server got %q, want %q; causes %v", f.name, got, want, x.causes)
			}
		}
		secure := ""
		if strings.Contains(f.name, "TLS") {
			secure = "; secure=x"
		}
		visits("", "session=s; lasting=l"+secure)
		visits("lasting=l"+secure, "lasting=l"+secure)
		port := f.keys[strings.Index(f.keys, `"port":`)+len(`"port":`):]
		port, _, _ = strings.Cut(port, ",")
		scheme := map[bool]string{true: "https", false: "http"}[secure != ""]
		if got := curl(t, "-sk", "-b", file, scheme+"://127.0.0.1:"+port+"/"); got.out != "lasting=l"+secure {
			t.Errorf("%s: curl sent %q with our file, want %q", f.name, got.out, "lasting=l"+secure)
		}
	}
}
