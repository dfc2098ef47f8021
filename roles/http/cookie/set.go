package cookie

import (
	"errors"
	"strings"
	"time"
)

// The reasons for which Set refuses a cookie.
var (
	ErrSyntax = errors.New("cookie: set: no name=value pair, or a control character")
	ErrSize   = errors.New("cookie: set: longer than Limits.Size")
	ErrDomain = errors.New("cookie: set: Domain does not match the host, or is a public suffix")
	ErrSecure = errors.New("cookie: set: Secure from an origin without TLS, or attributes that the name's prefix does not allow")
)

// attributeMax is the longest value of an attribute; longer ones are ignored (RFC 6265bis s.5.6).
const attributeMax = 1024

// Set stores the cookie of a Set-Cookie field value that o sent (RFC 6265 s.5.2, s.5.3). A cookie that has expired removes
// the stored one with its name, domain and path. The error is the reason for a refusal: ErrSyntax, ErrSize, ErrDomain or
// ErrSecure. field is not kept.
func (j *Jar) Set(o Origin, field []byte, now time.Time) error {
	e, err := j.parse(o, string(field), now)
	if err != nil {
		j.Counters.Refused++
		return err
	}
	j.Counters.Set++
	if e.expired(now) {
		if old := j.find(e.name, e.domain, e.path); old != nil {
			j.remove(old)
		}
		return nil
	}
	j.put(e, now)
	return nil
}

// attributes are the attributes of a Set-Cookie field that the jar uses.
type attributes struct {
	domain    string
	path      string
	expires   time.Time
	hasDomain bool
	hasMaxAge bool
	secure    bool
	httpOnly  bool
}

// parse returns the cookie of a Set-Cookie field value s, or the reason to refuse it.
func (j *Jar) parse(o Origin, s string, now time.Time) (*entry, error) {
	pair, rest, _ := strings.Cut(s, ";")
	name, value, ok := strings.Cut(pair, "=")
	name, value = trim(name), trim(value)
	l := j.limits()
	switch {
	case !ok || name == "" || control(s):
		return nil, ErrSyntax
	case len(name)+len(value) > l.Size:
		return nil, ErrSize
	}
	a := parseAttributes(rest, now, l.Life)
	host := lower(o.Host)
	e := &entry{name: name, value: value, domain: host, hostOnly: true, path: a.path, expires: a.expires,
		secure: a.secure, httpOnly: a.httpOnly}
	if a.hasDomain && a.domain != "" {
		if err := j.widen(e, host, a.domain); err != nil {
			return nil, err
		}
	}
	if e.path == "" {
		e.path = defaultPath(o.Path)
	}
	switch {
	case len(e.path) > attributeMax:
		return nil, ErrSize
	case control(e.path): // from the path of the request, which the caller has not checked
		return nil, ErrSyntax
	case e.secure && !o.Secure, !e.obeysPrefix(),
		hasPrefix(name, "__host-") && (a.hasDomain || a.path != "/"),
		!o.Secure && j.shadows(e):
		return nil, ErrSecure
	}
	return e, nil
}

// obeysPrefix reports whether e has the attributes that the prefix of its name requires (RFC 6265bis s.4.1.3).
func (e *entry) obeysPrefix() bool {
	switch {
	case hasPrefix(e.name, "__secure-"):
		return e.secure
	case hasPrefix(e.name, "__host-"):
		return e.secure && e.hostOnly && e.path == "/"
	}
	return true
}

// widen makes e a cookie of domain, if its host may set one.
func (j *Jar) widen(e *entry, host, domain string) error {
	if !domainMatch(host, domain) {
		return ErrDomain
	}
	if j.Suffixes == nil {
		return nil // e stays a cookie of its host
	}
	if s := j.Suffixes.PublicSuffix(domain); s == domain {
		if host == domain {
			return nil
		}
		return ErrDomain
	}
	e.domain, e.hostOnly = domain, isAddress(host)
	return nil
}

// shadows reports whether e, which came without TLS, has the name of a Secure cookie that could go with the same request
// (RFC 6265bis s.5.7).
func (j *Jar) shadows(e *entry) bool {
	for d, list := range j.domains {
		if !domainMatch(e.domain, d) && !domainMatch(d, e.domain) {
			continue
		}
		for _, f := range list {
			if f.secure && f.name == e.name && pathMatch([]byte(e.path), f.path) {
				return true
			}
		}
	}
	return false
}

// hasPrefix reports whether name has the prefix, in any case: some servers ignore case (RFC 6265bis s.4.1.3).
func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

func parseAttributes(s string, now time.Time, life time.Duration) (a attributes) {
	for s != "" {
		var part string
		part, s, _ = strings.Cut(s, ";")
		name, value, _ := strings.Cut(part, "=")
		name, value = trim(name), trim(value)
		if len(value) > attributeMax {
			continue
		}
		switch strings.ToLower(name) {
		case "expires":
			if t, ok := parseDate(value); ok && !a.hasMaxAge {
				a.expires = earlier(t, now, life)
			}
		case "max-age":
			if t, ok := parseMaxAge(value, now, life); ok {
				a.expires, a.hasMaxAge = t, true
			}
		case "domain":
			a.domain, a.hasDomain = lower(strings.TrimPrefix(value, ".")), true
		case "path":
			if a.path = ""; strings.HasPrefix(value, "/") {
				a.path = value
			}
		case "secure":
			a.secure = true
		case "httponly":
			a.httpOnly = true
		}
	}
	return a
}

// parseMaxAge parses a number of seconds (RFC 6265 s.5.2.2). Zero and negative numbers give a time in the past.
func parseMaxAge(s string, now time.Time, life time.Duration) (time.Time, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" {
		return time.Time{}, false
	}
	n := int64(0)
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
		if n < 1<<40 {
			n = n*10 + int64(c-'0')
		}
	}
	if digits != s || n == 0 {
		return time.Unix(0, 1), true
	}
	if n > int64(life/time.Second) {
		return now.Add(life), true
	}
	return now.Add(time.Duration(n) * time.Second), true
}

// earlier returns t, or the time when life is over if that is earlier.
func earlier(t, now time.Time, life time.Duration) time.Time {
	if last := now.Add(life); t.After(last) {
		return last
	}
	return t
}

// control reports whether s has a control character, which no cookie may have (RFC 6265bis s.5.6). RFC 6265bis allows the
// tab, but tabs separate the fields of a file.
func control(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}

func trim(s string) string { return strings.Trim(s, " \t") }
