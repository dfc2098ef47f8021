package ss

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// detour is where redirects have taken a transaction: what it asks for is no more what the policy says.
type detour struct {
	hops   int
	method []byte
	target []byte // of the request
	bare   bool   // the request has lost its body on the way
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
	return p.AllowRedirects && !p.FailRedirect && status != p.Expect && http.IsRedirect(status)
}

// disclaimed notes what a redirect says of a request: with 307 and 308 the server has left it to another, while the
// others may well be how it answers a POST that it has acted on (RFC 9110 s.15.4.4).
func (a *httpClient) disclaimed(status int) {
	if status == 307 || status == 308 {
		a.notActed()
	}
}

// redirected takes a response that is to be followed: it stays between the two sides. It is followed at once. Only if
// the rest of it has come already is that taken, so that its connection can serve the next request.
func (a *httpClient) redirected(x http.Exchange, m *http.Message) {
	a.disclaimed(m.Status)
	if why := a.divert(m); why != "" {
		a.drop()
		a.o.failed(&StatusError{m.Status, why}, 0)
		return
	}
	r := a.o.h.rt
	r.Counters.Redirects++
	a.conn.answered = true
	if a.sending {
		// The peer does not want the rest of the body, and would have to be given it before it took
		// another request.
		a.leave()
		return
	}
	a.state, a.left = httpAside, maxAside
	x.Resume() // what comes is for nobody
	r.pool.pendingRedirects = append(r.pool.pendingRedirects, a)
	r.loop.Defer(&r.task, r)
}

// aside takes a piece of a redirect's body.
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
		a.seek(a.t)
	}
}

// followPending follows, at the end of a turn, the redirects of which more is still to come: their bodies may never end.
func (p *httpPool) followPending() {
	list := p.pendingRedirects
	p.pendingRedirects = p.pendingSpare[:0]
	for i, a := range list {
		list[i] = nil
		if a.state == httpAside && a.o.h.flags&doomed == 0 {
			a.leave()
		}
	}
	p.pendingSpare = list[:0]
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
	where := "a redirect to " + roles.Quote(string(loc))
	if d.hops++; d.hops > maxHops {
		return where + ", after " + strconv.Itoa(maxHops) + " others in a row: that is the limit"
	}
	took := a.took
	if method := http.RedirectMethod(m.Status, d.method); string(method) != string(d.method) {
		d.method, d.bare, took = method, true, false
	}
	t, target, why := a.resolve(string(loc))
	if why != "" {
		return where + ": " + why
	}
	if t != a.t {
		d.foreign = true
	}
	if a.t, d.target = t, target; took {
		a.againCause = &StatusError{m.Status, where + " that asks for the body once more"}
	}
	return ""
}

// resolve finds out where a Location leads, as seen from the request that was sent last (RFC 3986 s.5).
// Within one origin that is the same target: scheme and host are compared without regard to case, and a port that is
// the scheme's own may be left out (RFC 9110 s.4.2.3). What stands in the path is taken as it is.
func (a *httpClient) resolve(location string) (t *target, path []byte, why string) {
	to := http.ParseReference(location)
	secure := a.t.tls
	switch {
	case to.Scheme == "http", to.Scheme == "ws" && a.isWS():
		secure = false
	case to.Scheme == "https", to.Scheme == "wss" && a.isWS():
		secure = true
	case to.Scheme != "" && a.isWS():
		return nil, nil, "only http, https, ws and wss are followed"
	case to.Scheme != "":
		return nil, nil, "only http and https are followed"
	}
	path = to.AppendTarget(nil, string(a.asked))
	if !to.HasAuthority && to.Scheme == "" {
		return a.t, path, ""
	}
	host := strings.TrimSuffix(strings.ToLower(to.Authority), ":") // a port that is empty is none (RFC 3986 s.3.2.3)
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	switch {
	case host == "":
		return nil, nil, "there is no host in it"
	case strings.Contains(host, "@"):
		return nil, nil, "user and password in a URL are not used"
	case !http.ValidAuthority([]byte(host)):
		return nil, nil, "that is no URL"
	case a.t.tls && !secure:
		return nil, nil, "it leads from https to http"
	}
	next, err := parseTarget(scheme+host, 0, false)
	if err != nil {
		return nil, nil, err.Error()
	}
	if next.tls == a.t.tls && http.EqualFold(a.t.authority, string(next.authority)) {
		return a.t, path, ""
	}
	if a.o.h.rt.socksProxyFor(a.o.h.kind.pol) != "" {
		// From a Unix socket: other streams that need the proxy are refused when they are created.
		return nil, nil, "the way there is through a SOCKS5 proxy, which is not built yet"
	}
	if next.tls {
		h := a.o.h
		if next.secure, err = h.rt.secureClient(h.kind.pol, next.dial.Host, false); err != nil {
			return nil, nil, err.Error()
		}
	}
	return &next, path, ""
}
