package http

import "strings"

// Reference is a URI reference split into its parts (RFC 3986 s.4.1), without the fragment. The parts are not decoded, so
// a "%" that encodes nothing is preserved.
type Reference struct {
	Scheme    string // in lower case, "" in a relative reference
	Authority string
	Path      string
	Query     string
	// HasAuthority and HasQuery distinguish an empty part from an absent one.
	HasAuthority, HasQuery bool
}

// ParseReference splits a reference. It rejects nothing: the caller checks the parts.
func ParseReference(s string) (r Reference) {
	s, _, _ = strings.Cut(s, "#")
	s, r.Query, r.HasQuery = strings.Cut(s, "?")
	if i := strings.IndexAny(s, ":/"); i > 0 && s[i] == ':' && isScheme(s[:i]) {
		r.Scheme, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		r.HasAuthority = true
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			i = len(rest)
		}
		r.Authority, s = rest[:i], rest[i:]
	}
	r.Path = s
	return r
}

// isScheme reports whether s can be a scheme (RFC 3986 s.3.1).
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return len(s) > 0
}

// AppendTarget appends the request-target of r, resolved against the target base, which starts with "/" (RFC 3986 s.5.2).
// It percent-encodes the octets that a request-target may not have and keeps all others, so it never encodes a "%" again.
func (r *Reference) AppendTarget(b []byte, base string) []byte {
	path, query, has := r.Path, r.Query, r.HasQuery
	if r.Scheme == "" && !r.HasAuthority {
		basePath, baseQuery, baseHas := strings.Cut(base, "?")
		switch {
		case path == "":
			path = basePath
			if !has {
				query, has = baseQuery, baseHas
			}
		case path[0] != '/':
			path = basePath[:strings.LastIndexByte(basePath, '/')+1] + path
		}
	}
	b = appendEscaped(b, removeDots(path))
	if has {
		b = appendEscaped(append(b, '?'), query)
	}
	return b
}

// removeDots removes the segments "." and ".." from a path (RFC 3986 s.5.2.4). The result starts with "/".
func removeDots(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case "..":
			kept = kept[:max(0, len(kept)-1)]
			fallthrough
		case ".":
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// appendEscaped appends s with the octets percent-encoded that a request-target may not have.
func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; classes[c]&classTarget == 0 {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
