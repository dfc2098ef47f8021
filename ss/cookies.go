package ss

import (
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/http/cookie"
)

// CookiesLoaded implements device.CookieWaiter.
func (a *httpClient) CookiesLoaded() { a.acquire(a.t) }

// origin returns the origin of a's request for the cookie jar.
func (a *httpClient) origin(target []byte) cookie.Origin {
	o := cookie.Origin{Host: a.t.dial.Host, Path: target, Secure: a.t.tls}
	if o.Host == "" {
		o.Host = string(a.t.authority) // a Unix socket
	}
	for i, c := range target {
		if c == '?' {
			o.Path = target[:i]
			break
		}
	}
	return o
}

// addCookies appends the Cookie field that the jar has for a request. Its value is appended to text, which is
// returned. If the program sets the field itself, by metadata, nothing is added.
func (a *httpClient) addCookies(m *http.Message, text []byte) []byte {
	if !a.o.h.streamType.pol.HTTP.Cookies {
		return text
	}
	if _, own := m.Find(http.Cookie); own {
		return text
	}
	r := a.o.h.rt
	at := len(text)
	jar := r.jar()
	text = jar.Append(text, a.origin(m.Target), r.loop.System().Wall())
	jar.Charge()
	if v := text[at:len(text):len(text)]; len(v) > 0 {
		m.Fields = append(m.Fields, http.Field{Name: nameCookie, Value: v, ID: http.Cookie})
	}
	return text
}

var nameCookie = []byte("cookie")

// takeCookies stores the cookies that a response sets.
func (a *httpClient) takeCookies(m *http.Message) {
	if !a.o.h.streamType.pol.HTTP.Cookies {
		return
	}
	r := a.o.h.rt
	jar := r.jar()
	for i := range m.Fields {
		if f := &m.Fields[i]; f.ID == http.SetCookie {
			if err := jar.Set(a.origin(a.asked), f.Value, r.loop.System().Wall()); err != nil {
				r.log.Debug("ss: a cookie was refused", "stream", a.o.h.StreamType(), "host", roles.Plain(a.t.dial.Host), "err", err)
			}
		}
	}
	jar.Charge()
	jar.Keep()
}
