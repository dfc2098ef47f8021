package http

import (
	"errors"
	"strings"
)

// IsRedirect reports whether a status is a redirect to another URI, which Location names (RFC 9110 s.15.4).
func IsRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// RedirectMethod returns the method of the request that follows a redirect (RFC 9110 s.15.4): 303 changes it to GET,
// 301 and 302 change POST to GET as all clients do, and in all other cases the method stays. HEAD stays HEAD.
// Where the result differs from method, the body and the fields that describe it are dropped.
func RedirectMethod(status int, method []byte) []byte {
	switch {
	case status == 303 && string(method) != "HEAD", (status == 301 || status == 302) && string(method) == "POST":
		return methodGET
	}
	return method
}

var methodGET = []byte("GET")

// RedirectKeepsMethod reports whether a redirect asks for the same request at another place (307, 308): the server
// did not act on it. The other redirects can also be the answer to a POST that was acted on (RFC 9110 s.15.4.4).
func RedirectKeepsMethod(status int) bool { return status == 307 || status == 308 }

// FieldClass is a set of reasons for which a request that follows a redirect must not have a field.
type FieldClass uint8

// The reasons.
const (
	// OfOrigin: the field identifies the client to one origin (credentials, cookies). It is not sent to another.
	OfOrigin FieldClass = 1 << iota
	// OfContent: the field describes the body (RFC 9110 s.15.4). It is not sent without one.
	OfContent
)

// ClassOf returns the class of the field called name, in any case, whose ID is id; 0 for a field that every request
// may have.
func ClassOf(name []byte, id ID) FieldClass {
	switch id {
	case Authorization, Cookie, WWWAuthenticate:
		return OfOrigin
	case ContentType, ContentEncoding:
		return OfContent
	}
	for _, n := range otherOfOrigin {
		if EqualFold(name, n) {
			return OfOrigin
		}
	}
	for _, n := range otherOfContent {
		if EqualFold(name, n) {
			return OfContent
		}
	}
	return 0
}

// The fields of each class that have no ID.
var (
	otherOfOrigin  = []string{"proxy-authorization", "cookie2"}
	otherOfContent = []string{"content-language", "content-location", "content-disposition", "content-md5",
		"digest", "content-digest", "repr-digest", "last-modified"}
)

// MaxRedirects is the number of redirects in a row that are followed, the same as libwebsockets'.
const MaxRedirects = 4

// RedirectState is the request that a client sends next while it follows the redirects of one transaction.
type RedirectState struct {
	Method []byte // a literal, or the slice that NewRedirectState was given
	Target []byte // request-target; set by the client from RedirectTarget
	// NoBody: a redirect changed the method, so the request has lost its body.
	NoBody bool
	// CrossOrigin: at least one redirect led to another origin. It stays set when a later one leads back, since
	// the other origin chose that request: fields of class OfOrigin stay out of it.
	CrossOrigin bool

	count int // redirects so far
}

// NewRedirectState returns the state before the first redirect of a request with this method, which is kept.
func NewRedirectState(method []byte) *RedirectState { return &RedirectState{Method: method} }

// Next takes one more redirect into s: it sets Method and NoBody. It returns false if MaxRedirects were taken
// before; then s is unchanged.
func (s *RedirectState) Next(status int) bool {
	if s.count == MaxRedirects {
		return false
	}
	s.count++
	if method := RedirectMethod(status, s.Method); string(method) != string(s.Method) {
		s.Method, s.NoBody = method, true
	}
	return true
}

// Omit returns the classes of fields that the next request must not have. s may be nil: no redirect was followed.
func (s *RedirectState) Omit() (c FieldClass) {
	if s != nil && s.CrossOrigin {
		c |= OfOrigin
	}
	if s != nil && s.NoBody {
		c |= OfContent
	}
	return c
}

// RedirectTarget is the place that a Location names.
type RedirectTarget struct {
	Secure    bool   // the scheme is https or wss
	Authority string // host[:port] in lower case; "" if the reference is relative: the same origin
	Target    []byte // request-target, a slice of its own
}

// Why a redirect is not followed. The texts complete "a redirect to ...: ".
var (
	errRedirectScheme    = errors.New("only http and https are followed")
	errRedirectSchemeWS  = errors.New("only http, https, ws and wss are followed")
	errRedirectHost      = errors.New("there is no host in it")
	errRedirectUser      = errors.New("user and password in a URL are not used")
	errRedirectURL       = errors.New("that is no URL")
	errRedirectDowngrade = errors.New("it leads from https to http")
)

// ResolveRedirect resolves a Location against the request that received it (RFC 3986 s.5): base is the target of that
// request, secure reports whether it used TLS, and ws reports whether it asked for a WebSocket: only then are the
// schemes ws and wss followed. What the path holds is taken as it is. A redirect from TLS to plain text is an error.
// Whether an absolute reference names the same origin is decided by the caller, which knows its own authority.
func ResolveRedirect(location, base string, secure, ws bool) (t RedirectTarget, err error) {
	to := ParseReference(location)
	t.Secure = secure
	switch {
	case to.Scheme == "http", to.Scheme == "ws" && ws:
		t.Secure = false
	case to.Scheme == "https", to.Scheme == "wss" && ws:
		t.Secure = true
	case to.Scheme != "" && ws:
		return t, errRedirectSchemeWS
	case to.Scheme != "":
		return t, errRedirectScheme
	}
	t.Target = to.AppendTarget(nil, base)
	if !to.HasAuthority && to.Scheme == "" {
		return t, nil
	}
	t.Authority = strings.TrimSuffix(strings.ToLower(to.Authority), ":") // an empty port is none (RFC 3986 s.3.2.3)
	switch {
	case t.Authority == "":
		return t, errRedirectHost
	case strings.Contains(t.Authority, "@"):
		return t, errRedirectUser
	case !ValidAuthority([]byte(t.Authority)):
		return t, errRedirectURL
	case secure && !t.Secure:
		return t, errRedirectDowngrade
	}
	return t, nil
}
