package ss

import (
	"errors"
	"strconv"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// maxAside is how much body of a redirect is read, in bytes, to reuse its connection for the next request. Above that
// a new connection is cheaper.
const maxAside = 64 << 10

// follow makes the request that a redirect leads to.
func (a *httpClient) follows(status int) bool {
	p := &a.o.h.streamType.pol.HTTP
	return p.AllowRedirects && !p.FailRedirect && status != p.Expect && http.IsRedirect(status)
}

// redirected follows a redirect, which the program does not see. The rest of the response is read only if it has
// arrived by the end of the turn, so that its connection can serve the next request.
func (a *httpClient) redirected(x http.Exchange, m *http.Message) {
	a.disclaimed(m.Status)
	if why := a.divert(m); why != "" {
		a.drop()
		a.o.failed(&StatusError{m.Status, why}, 0)
		return
	}
	r := a.o.h.rt
	r.Counters.Redirects++
	a.conn.entry.SetAnswered()
	if a.sending {
		// The peer does not want the rest of the body, but would have to receive it before
		// another request.
		a.leave()
		return
	}
	a.state, a.left = httpAside, maxAside
	x.Resume() // its body is read and dropped
	r.http.redirects.add(a)
	r.loop.Defer(&r.task, r)
}

// aside reads n bytes of a redirect's body.
func (a *httpClient) aside(n int) {
	if a.left -= int64(n); a.left < 0 {
		a.leave()
	}
}

// leave follows a redirect without the rest of its body.
func (a *httpClient) leave() {
	a.drop()
	a.follow()
}

// follow makes the request that a redirect asks for.
func (a *httpClient) follow() {
	if a.o.h.flags&doomed == 0 && a.rewind() {
		a.acquire(a.t)
	}
}

// follow follows the redirects whose body is not complete: it may never end.
func (p *pendingRedirects) follow() {
	list := p.list
	p.list = p.spare[:0]
	for i, a := range list {
		list[i] = nil
		if a.state == httpAside && a.o.h.flags&doomed == 0 {
			a.leave()
		}
	}
	p.spare = list[:0]
}

// divert prepares the next request of a redirect, or returns why there is none.
func (a *httpClient) divert(m *http.Message) (why string) {
	if a.redirectState == nil {
		a.redirectState = http.NewRedirectState(a.o.h.streamType.method)
	}
	d := a.redirectState
	loc, ok := m.Find(http.Location)
	if !ok {
		return "a redirect without Location"
	}
	where := "a redirect to " + roles.Quote(string(loc))
	if !d.Next(m.Status) {
		return where + ", after " + strconv.Itoa(http.MaxRedirects) + " redirects in a row, which is the limit"
	}
	to, err := http.ResolveRedirect(string(loc), string(a.asked), a.t.tls, a.isWS())
	if err != nil {
		return where + ": " + err.Error()
	}
	t, err := a.redirectTarget(&to)
	if err != nil {
		return where + ": " + err.Error()
	}
	if t != a.t {
		d.CrossOrigin = true
	}
	if a.t, d.Target = t, to.Target; a.took && !d.NoBody {
		a.againCause = &StatusError{m.Status, where + ", which needs the body again"}
	}
	return ""
}

var errRedirectSocks = errors.New("it needs a SOCKS5 proxy, which is not implemented yet")

// redirectTarget returns the target of a redirect: the current one if both have the same origin. Scheme and host are
// compared without regard to case, and the scheme's default port may be omitted (RFC 9110 s.4.2.3).
func (a *httpClient) redirectTarget(to *http.RedirectTarget) (*target, error) {
	if to.Authority == "" {
		return a.t, nil
	}
	next, err := parseTarget(string(scheme(to.Secure))+"://"+to.Authority, 0, false)
	if err != nil {
		return nil, err
	}
	if next.tls == a.t.tls && http.EqualFold(a.t.authority, string(next.authority)) {
		return a.t, nil
	}
	h := a.o.h
	if h.rt.socksProxyFor(h.streamType) != "" {
		// From a Unix socket: Create refuses other streams that need the proxy.
		return nil, errRedirectSocks
	}
	if next.tls {
		if next.secure, err = h.rt.secureClient(h.streamType.pol, next.dial.Host, false); err != nil {
			return nil, err
		}
	}
	return &next, nil
}
