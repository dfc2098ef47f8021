package http

import "math"

// The octet classes of RFC 9110 s.5.6 and RFC 3986, as bits of one table.
const (
	classToken  = 1 << iota // tchar
	classValue              // field-vchar, SP, HTAB, obs-text: the octets of a field value
	classTarget             // the octets that a client sends in a request-target: visible ASCII except "#"
	classHost               // the octets of a reg-name or IPv4address
	classPath               // pchar, "/", "?": the octets of a path and query
	classPlain              // classPath without "%"
	classQuery              // brackets, which only a query may have
)

var classes = func() (t [256]uint8) {
	for c := 0; c < 256; c++ {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if letter {
			t[c] |= classToken | classHost | classPath | classPlain
		}
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= classValue
		}
		// A URI has no quotes, braces, bars or carets either (see classPath). But policies and redirects contain them
		// unescaped, and most servers accept them, so a client sends them unchanged.
		if c > 0x20 && c < 0x7f && c != '#' {
			t[c] |= classTarget
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= classToken
	}
	for _, c := range []byte("-._~%!$&'()*+,;=") {
		t[c] |= classHost
	}
	for _, c := range []byte("-._~!$&'()*+,;=:@/?") {
		t[c] |= classPath | classPlain
	}
	t['%'] |= classPath
	t['['], t[']'] = t['[']|classQuery, t[']']|classQuery
	return t
}()

// IsTokenByte reports whether a token may contain c (RFC 9110 s.5.6.2).
func IsTokenByte(c byte) bool { return classes[c]&classToken != 0 }

// ValidName reports whether b is a legal field name or method: a token of at least one octet.
func ValidName(b []byte) bool { return len(b) > 0 && all(b, classToken) }

// ValidValue reports whether b may be sent as a field value (RFC 9110 s.5.5): no control character except HTAB, and no
// whitespace at either end.
func ValidValue(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	return all(b, classValue) && !isOWS(b[0]) && !isOWS(b[len(b)-1])
}

// ValidPathQuery reports whether b is a path and query of RFC 3986 s.3.3 and s.3.4, as a server accepts them in a
// request-target (RFC 9112 s.3.2): no quotes, backslash, bar, braces, caret or angle brackets, and two hexadecimal digits
// after each "%". It accepts "[" and "]" in the query, although RFC 3986 does not: browsers and clients of PHP do not
// encode them.
func ValidPathQuery(b []byte) bool {
	legal := uint8(classPath)
	for i, c := range b {
		switch {
		case classes[c]&legal == 0:
			return false
		case c == '?':
			legal |= classQuery
		case c == '%' && (i+2 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2])):
			return false
		}
	}
	return true
}

// ValidTarget reports whether b may be sent as a request-target: not empty, visible ASCII, no fragment. It accepts
// octets that ValidPathQuery does not, since policies and redirects contain them.
func ValidTarget(b []byte) bool { return len(b) > 0 && TargetLen(b) == len(b) }

// TargetLen returns the length of the longest prefix of b that may be sent in a request-target.
func TargetLen(b []byte) int {
	for i, c := range b {
		if classes[c]&classTarget == 0 {
			return i
		}
	}
	return len(b)
}

// ScanTarget returns TargetLen, and in the same pass whether those octets surely are a legal path and query. If plain is
// false they may still be one, for instance with a "%": call ValidPathQuery.
func ScanTarget(b []byte) (n int, plain bool) {
	all := uint8(classPlain)
	for ; n < len(b); n++ {
		k := classes[b[n]]
		if k&classTarget == 0 {
			break
		}
		all &= k
	}
	return n, all != 0
}

// ValidAuthority reports whether b is uri-host [ ":" port ] (RFC 9110 s.7.2), without userinfo. The empty authority is
// legal: a client whose target has none sends it (RFC 9112 s.3.2).
func ValidAuthority(b []byte) bool {
	i := 0
	if len(b) > 0 && b[0] == '[' {
		for i = 1; i < len(b) && b[i] != ']'; i++ {
			if c := b[i]; !isHex(c) && c != ':' && c != '.' && c != 'v' && c != 'V' {
				return false
			}
		}
		if i < 3 || i == len(b) {
			return false
		}
		i++
	} else {
		for i < len(b) && classes[b[i]]&classHost != 0 {
			if b[i] == '%' && (i+2 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2])) {
				return false
			}
			i++
		}
	}
	if i == len(b) {
		return true
	}
	if b[i] != ':' || i == 0 {
		return false
	}
	port := 0
	for _, c := range b[i+1:] {
		if c < '0' || c > '9' {
			return false
		}
		if port = port*10 + int(c-'0'); port > 65535 {
			return false
		}
	}
	return true
}

// ValidUnixAuthority reports whether b is the authority that clients of Unix sockets send, such as those of
// libwebsockets: "+" and the path of the socket, or "+@" and its abstract name, in visible ASCII. RFC 9110 does not have
// it: accept it only on a Unix socket, where no proxy can interpret it differently.
func ValidUnixAuthority(b []byte) bool { return len(b) > 1 && b[0] == '+' && ValidTarget(b[1:]) }

// TrimOWS removes optional whitespace, SP and HTAB, from both ends (RFC 9110 s.5.6.3).
func TrimOWS(b []byte) []byte {
	b = TrimLeftOWS(b)
	for len(b) > 0 && isOWS(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// TrimLeftOWS removes SP and HTAB from the start.
func TrimLeftOWS(b []byte) []byte {
	for len(b) > 0 && isOWS(b[0]) {
		b = b[1:]
	}
	return b
}

// EqualFold reports whether b equals lower, which must be in lower case, if the case of ASCII letters is ignored.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c != lower[i] {
			if c < 'A' || c > 'Z' || c|0x20 != lower[i] {
				return false
			}
		}
	}
	return true
}

// NextItem returns the first non-empty item of a comma-separated list (RFC 9110 s.5.6.1) and the rest of the list. ok is
// false if there is none. It does not recognise quoted strings: use it for lists of tokens.
func NextItem(list []byte) (item, rest []byte, ok bool) {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		item, rest = TrimOWS(list[:i]), list[min(i+1, len(list)):]
		if len(item) > 0 {
			return item, rest, true
		}
		list = rest
	}
	return nil, nil, false
}

// ParseLength parses a Content-Length: 1*DIGIT up to 2^63-1, without sign or space. With repeated it also accepts a list
// of equal numbers (RFC 9110 s.8.6). It returns -1 for anything else.
func ParseLength(b []byte, repeated bool) int64 {
	n := parseNumber(b)
	if n >= 0 || !repeated {
		return n
	}
	for item, rest, ok := NextItem(b); ok; item, rest, ok = NextItem(rest) {
		k := parseNumber(item)
		if k < 0 || n >= 0 && k != n {
			return -1
		}
		n = k
	}
	return n
}

func parseNumber(b []byte) int64 {
	if len(b) == 0 {
		return -1
	}
	var n int64
	for _, c := range b {
		d := int64(c - '0')
		if c < '0' || c > '9' || n > (math.MaxInt64-d)/10 {
			return -1
		}
		n = n*10 + d
	}
	return n
}

func all(b []byte, class uint8) bool {
	for _, c := range b {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
