package ss

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"

	"github.com/millrace/millrace/roles/http"
)

// detour is where redirects have taken a transaction: what it asks for is no more what the policy says.
type detour struct {
	hops   int
	method []byte
	target []byte // of the request
	bare   bool   // the request has lost its body on the way, or has given an empty one
	// foreign says that another origin was on the way. From then on what identifies the device stays
	// behind, also on a way that leads back: who sent us there chose it.
	foreign bool
}

const (
	// maxHops is how many redirects in a row are followed, as many as the reference follows.
	maxHops = 4
	// maxAside is how much body of a redirect is taken, in bytes, to keep its connection for the next
	// request. More costs more than a new connection.
	maxAside = 64 << 10
)

// leaves says which fields of the policy's request stay behind. d may be nil.
func (d *detour) leaves() (c fieldClass) {
	if d != nil && d.foreign {
		c |= ofOrigin
	}
	if d != nil && d.bare {
		c |= ofContent
	}
	return c
}

// method and appendTarget say what is asked for, on the policy's way or on a detour.
func (a *httpClient) method() []byte {
	if a.away != nil {
		return a.away.method
	}
	return a.o.h.kind.method
}

func (a *httpClient) appendTarget(b []byte) ([]byte, error) {
	if a.away != nil {
		return append(b, a.away.target...), nil
	}
	return a.o.appendPath(b)
}

// follows says whether a status sends us elsewhere, and we go.
func (a *httpClient) follows(status int) bool {
	p := &a.o.h.kind.pol.HTTP
	return p.AllowRedirects && !p.FailRedirect && status != p.Expect && redirects(status)
}

// redirects says whether a status is one of the redirects that name a place (RFC 9110 s.15.4).
func redirects(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// redirected takes a response that is to be followed: it stays between the two sides.
func (a *httpClient) redirected(x http.Exchange, m *http.Message) {
	if why := a.divert(m); why != "" {
		a.drop()
		a.o.failed(&StatusError{m.Status, why}, 0)
		return
	}
	a.o.h.rt.Counters.Redirects++
	a.conn.answered = true
	if a.sending {
		// The peer does not want the rest of the body, and would have to be given it before it took
		// another request.
		a.drop()
		a.seek(a.t)
		return
	}
	a.state, a.left = httpAside, maxAside
	x.Resume() // what comes is for nobody
}

// aside takes a piece of a redirect's body.
func (a *httpClient) aside(n int) {
	if a.left -= int64(n); a.left < 0 {
		a.drop()
		a.seek(a.t)
	}
}

// divert makes the next request out of a redirect, or says why there can be none.
func (a *httpClient) divert(m *http.Message) (why string) {
	if a.away == nil {
		a.away = &detour{method: a.o.h.kind.method}
	}
	d := a.away
	loc, ok := m.Find(http.Location)
	if !ok {
		return "a redirect that does not say where to: it has no Location"
	}
	where := "a redirect to " + strconv.Quote(string(loc))
	if d.hops++; d.hops > maxHops {
		return where + ", after " + strconv.Itoa(maxHops) + " others in a row: that is the limit"
	}
	if method := redirectMethod(m.Status, d.method); string(method) != string(d.method) {
		d.method, d.bare = method, true
	} else if a.empty {
		d.bare = true // and so is the next
	} else if a.took {
		return where + " that asks for the body once more, of which the stream has given a part already"
	}
	t, target, why := a.resolve(string(loc))
	if why != "" {
		return where + ": " + why
	}
	if t != a.t {
		d.foreign = true
	}
	a.t, d.target = t, target
	return ""
}

// redirectMethod is the method of the request that follows a redirect (RFC 9110 s.15.4): only 307 and 308
// promise to keep it. Of the others 303 asks for GET, and 301 and 302 have always made GET out of POST.
func redirectMethod(status int, method []byte) []byte {
	switch {
	case status == 303 && string(method) != "HEAD", (status == 301 || status == 302) && string(method) == "POST":
		return methodGET
	}
	return method
}

var methodGET = []byte("GET")

// resolve finds out where a Location leads, as seen from the request that was sent last (RFC 3986 s.5).
// Within one origin that is the same target.
func (a *httpClient) resolve(location string) (t *target, path []byte, why string) {
	scheme := "http://"
	if a.t.tls {
		scheme = "https://"
	}
	base, err := url.Parse(scheme + string(a.t.authority) + string(a.asked))
	if err != nil {
		return nil, nil, "the address of the request is no URL itself"
	}
	to, err := base.Parse(location)
	switch {
	case err != nil:
		return nil, nil, "that is no URL"
	case to.Scheme != "http" && to.Scheme != "https":
		return nil, nil, "only http and https are followed"
	case to.User != nil:
		return nil, nil, "user and password in a URL are not used"
	case to.Host == "" || to.Opaque != "":
		return nil, nil, "there is no host in it"
	case a.t.tls && to.Scheme == "http":
		return nil, nil, "it leads from https to http"
	}
	next, err := parseTarget(to.Scheme+"://"+strings.ToLower(to.Host), 0, false)
	if err != nil {
		return nil, nil, err.Error()
	}
	path = appendEscaped(nil, to.RequestURI())
	if next.tls == a.t.tls && bytes.Equal(next.authority, a.t.authority) {
		return a.t, path, ""
	}
	if next.tls {
		h := a.o.h
		if next.secure, err = h.rt.secureClient(h.kind.pol, next.dial.Host, false); err != nil {
			return nil, nil, err.Error()
		}
	}
	return &next, path, ""
}

// appendEscaped appends a request-target, with what cannot stand in one percent-encoded.
func appendEscaped(b []byte, target string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(target) {
		if c := target[i]; http.TargetLen([]byte{c}) == 0 {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
