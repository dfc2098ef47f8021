package cookie

import (
	"strings"
	"testing"
	"time"
)

// FuzzSet: after any Set-Cookie field value, the jar sends a legal field value, and loads what it saves without loss.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"a=1", "a=1; Max-Age=60; Path=/x; Domain=h.example; Secure; HttpOnly", "__Host-a=1; Secure; Path=/",
		"a=b; Expires=Sun, 06-Nov-2027 08:49:37 GMT", "=;=;=", "a=\t; Path=/\t"} {
		f.Add("h.example", "/x/y", s, true)
	}
	f.Fuzz(func(t *testing.T, host, path, field string, secure bool) {
		j := Jar{Suffixes: suffixes{}, Limits: Limits{PerHost: 2, Total: 3}}
		for _, c := range []byte(host) {
			if c != '-' && c != '.' && c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return // no host that a program can connect to
			}
		}
		if host == "" || host[0] == '.' || strings.Contains(host, "..") {
			return
		}
		o := Origin{Host: host, Path: []byte(path), Secure: secure}
		j.Set(Origin{Host: host, Path: []byte("/"), Secure: true}, []byte("first=1; Secure; Max-Age=100"), epoch)
		err := j.Set(o, []byte(field), epoch)
		got := string(j.Append(nil, o, epoch))
		if control(got) {
			t.Errorf("Append: got %q, which has a control character", got)
		}
		if err != nil && j.Len() > 1 {
			t.Errorf("Set refused the cookie (%v), but the jar has %d cookies, want at most 1", err, j.Len())
		}
		text := j.Save(nil, epoch)
		k := Jar{Suffixes: suffixes{}}
		k.Load(text, epoch)
		if again := k.Save(nil, epoch); string(again) != string(text) || k.Counters.BadLines != 0 {
			t.Errorf("Save after Load of what Save wrote:\ngot  %q\nwant %q (and 0 bad lines, got %d)", again, text, k.Counters.BadLines)
		}
	})
}

// FuzzLoad: after any file, the jar keeps its limits, and loads what it saves without loss.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(fileHead + "#HttpOnly_a.example\tFALSE\t/p\tTRUE\t1795781400\ta\t1\n.b.example\tTRUE\t/\tFALSE\t0\tb\tx y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		j := Jar{Limits: Limits{PerHost: 3, Total: 5}}
		j.Load(text, epoch)
		if j.Len() > 5 {
			t.Errorf("Len after Load: got %d, want at most 5", j.Len())
		}
		saved := j.Save(nil, epoch)
		var k Jar
		k.Load(saved, epoch.Add(time.Millisecond))
		if again := k.Save(nil, epoch); string(again) != string(saved) {
			t.Errorf("Save after Load of what Save wrote:\ngot  %q\nwant %q", again, saved)
		}
	})
}
