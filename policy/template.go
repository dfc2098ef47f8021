package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Template is a string of the policy in which ${name} is replaced by the value that the metadata of that
// name has when the string is used. It is compiled once; the zero Template is the empty string.
type Template struct {
	text  string
	key   string // of the policy, whose value it is
	parts []part
	most  int // bytes of an expansion, 0 for any number
}

// part is literal text of a template, followed by the value of a metadata item unless index is negative.
type part struct {
	text     string
	name     string // of the metadata item
	index    int    // of the metadata item in Stream.Metadata
	slot     slot
	encoding encoding
}

// slot is what a value becomes part of. The literal text around the value decides it, so that no value can turn a host
// into a port, a path or a Unix socket.
type slot uint8

const (
	inText    slot = iota // free text
	inHost                // a part of a host name
	wholeHost             // all of a host: a name, or an address
	inLiteral             // an IPv6 address between literal brackets
	inPort                // a part of a port number
	inSocket              // a part of one segment of a Unix socket's path
	inTarget              // a request target: path and query
	inTopic               // an MQTT topic name
	inFilter              // an MQTT topic filter
)

var slotNames = [...]string{
	inText: "a text", inHost: "a host name", wholeHost: "a host", inLiteral: "an IPv6 address", inPort: "a port number",
	inSocket: "the name of a Unix socket", inTarget: "a request target", inTopic: "an MQTT topic", inFilter: "an MQTT topic filter",
}

// encoding is how a value is changed before it is inserted.
type encoding uint8

const (
	plain      encoding = iota // inserted as it is
	pathSeg                    // ${name|path}: percent-encoded, one segment of a path
	queryValue                 // ${name|query}: percent-encoded, one argument of a query
)

var encodingNames = map[string]encoding{"path": pathSeg, "query": queryValue}

const (
	// maxUses is how many ${name}s one template may have. Real ones have a handful.
	maxUses = 64

	// MaxTarget is the most bytes of an expanded http_url or endpoint: what RFC 9112 s.3 asks every
	// recipient of a request line to take.
	MaxTarget = 8000

	// maxMQTT is the most bytes of an expanded MQTT string, whose length has 16 bits (MQTT 3.1.1 s.1.5.3).
	maxMQTT = 1<<16 - 1
)

// ErrValue is what errors.Is finds in a ValueError.
var ErrValue = errors.New("value not allowed")

// ValueError reports that the value of a metadata item is not allowed where a template inserts it, or makes the
// expansion longer than the key allows. It shows one octet of the value, not the value, which may be a secret.
type ValueError struct {
	Key      string // of the policy, whose template it is
	Metadata string // name of the item
	Why      string
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: metadata %s: %v: %s", e.Key, strconv.Quote(e.Metadata), ErrValue, e.Why)
}

// Unwrap implements errors.Is.
func (e *ValueError) Unwrap() error { return ErrValue }

// Empty reports whether the template has no text at all, as when the key is absent.
func (t *Template) Empty() bool { return t.text == "" }

// String returns the source text, ${} and all.
func (t *Template) String() string { return t.text }

// Literal returns the text and true when there is nothing in it to replace.
func (t *Template) Literal() (string, bool) {
	for i := range t.parts {
		if t.parts[i].index >= 0 {
			return "", false
		}
	}
	return t.text, true
}

// Append appends the expanded string to dst. It calls value for each metadata index (see
// Stream.Metadata) in the text; the slice it returns is copied, nil expands to nothing. The error is a
// *ValueError: a value that is not allowed where it is inserted, or one with which the expansion would be longer
// than the key allows. Then dst is returned as it was; never more than the limit is written after it.
func (t *Template) Append(dst []byte, value func(index int) []byte) ([]byte, error) {
	at := len(dst)
	for i := range t.parts {
		p := &t.parts[i]
		dst = append(dst, p.text...)
		if p.index < 0 {
			continue
		}
		room := int(^uint(0) >> 1)
		if t.most > 0 {
			room = max(t.most-(len(dst)-at), 0)
		}
		var why string
		if dst, why = p.append(dst, value(p.index), room); why != "" {
			return dst[:at], &ValueError{t.key, p.name, why}
		}
	}
	return dst, nil
}

// append appends a value of at most room bytes, or returns why it is not allowed.
func (p *part) append(dst, v []byte, room int) (_ []byte, why string) {
	size := len(v)
	if p.encoding != plain {
		size = encodedLen(v, room)
	}
	if size > room {
		return dst, fmt.Sprintf("it is longer than the %d bytes that are left for it", room)
	}
	if p.encoding != plain {
		if p.encoding == pathSeg && dotSegment(v) {
			return dst, "a segment . or .. leads elsewhere, and encoding it changes nothing" // RFC 3986 s.5.2.4, s.6.2.2.3
		}
		return appendEncoded(dst, v), ""
	}
	if p.slot == inSocket && dotSegment(v) {
		return dst, "a segment . or .. leads elsewhere"
	}
	if p.slot == wholeHost && strings.IndexByte(string(v), ':') >= 0 {
		return appendIPv6(dst, v)
	}
	for i, c := range v {
		if !p.slot.takes(c) {
			return dst, fmt.Sprintf("octet 0x%02x at offset %d is not allowed in %s", c, i, slotNames[p.slot])
		}
	}
	return append(dst, v...), ""
}

// takes reports whether an octet of a value is allowed in a position.
func (p slot) takes(c byte) bool {
	digit := c >= '0' && c <= '9'
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	switch p {
	case inHost, wholeHost:
		return letter || digit || c == '-' || c == '.' || c == '_'
	case inLiteral:
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':' || c == '.'
	case inPort:
		return digit
	case inSocket:
		return c >= ' ' && c != 0x7F && c != '/' && c != '@' // as the first octet @ would name another space
	case inTarget:
		return c > ' ' && c < 0x7F && c != '#' // RFC 9112 s.3.2; quotes, braces and bars are in use unescaped
	case inTopic:
		return c != '+' && c != '#' && c != 0
	case inFilter:
		return c != 0
	}
	return true
}

func dotSegment(v []byte) bool { return string(v) == "." || string(v) == ".." }

// appendIPv6 appends an IPv6 address, which is the one host with colons. Brackets are put around it where
// a port may follow.
func appendIPv6(dst, v []byte) ([]byte, string) {
	const longest = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%]") + 15 // and the name of an interface
	if len(v) > longest {
		return dst, "it has a colon and is not an IPv6 address"
	}
	text := string(v)
	if inner, open := strings.CutPrefix(text, "["); open {
		var closed bool
		if text, closed = strings.CutSuffix(inner, "]"); !closed {
			return dst, "it has a colon and is not an IPv6 address"
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() {
		return dst, "it has a colon and is not an IPv6 address"
	}
	for i := range len(a.Zone()) {
		if !wholeHost.takes(a.Zone()[i]) {
			return dst, "its zone is not an interface name"
		}
	}
	dst = append(dst, '[')
	dst = append(dst, text...)
	return append(dst, ']'), ""
}

// unreserved reports whether an octet means the same encoded and not (RFC 3986 s.2.3).
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// encodedLen is the length of v when it is percent-encoded; it stops counting above most.
func encodedLen(v []byte, most int) (n int) {
	for _, c := range v {
		if n > most {
			break
		}
		if n++; !unreserved(c) {
			n += 2
		}
	}
	return n
}

// appendEncoded appends v with everything percent-encoded that is not unreserved (RFC 3986 s.2.1).
func appendEncoded(dst, v []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range v {
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

// compile splits text at its ${name}s; index finds a name's number, negative when it is not declared.
// A '$' without '{' is plain text. For each thing wrong it calls bad, and goes on.
//
// A name may be followed by "|path" or "|query", which encodes the value. If a metadata item has the whole text as its
// name, the item takes precedence.
func compile(text string, index func(name string) int, bad func(msg, fix string)) Template {
	t := Template{text: text}
	rest := text
	for rest != "" {
		open := strings.Index(rest, "${")
		if open < 0 {
			break
		}
		inner, after, closed := strings.Cut(rest[open+2:], "}")
		if !closed {
			bad("${ without its }", "close it, or drop the '{'")
			break
		}
		if len(t.parts) == maxUses {
			bad("more than "+strconv.Itoa(maxUses)+" values in one text", "use fewer")
			break
		}
		p := part{text: rest[:open], name: inner}
		if p.index = index(inner); p.index < 0 {
			if i := strings.LastIndexByte(inner, '|'); i >= 0 {
				p.name = inner[:i]
				p.index = index(p.name)
				var known bool
				if p.encoding, known = encodingNames[inner[i+1:]]; !known && p.index >= 0 {
					bad("no encoding is called "+quote(inner[i+1:]), `write |path for a segment of a path, |query for an argument of a query`)
				}
			}
		}
		switch {
		case p.name == "":
			bad("${} names no metadata", "put a metadata name between the braces")
		case p.index < 0:
			bad("${"+shorten(p.name)+"} is not declared", `declare it in this stream type: "metadata": [{`+quote(p.name)+`: ""}]`)
		}
		t.parts = append(t.parts, p)
		rest = after
	}
	if rest != "" {
		t.parts = append(t.parts, part{text: rest, index: -1})
	}
	return t
}

// literals returns the text without its ${name}s, for checks of what is sure to be in every expansion.
func (t *Template) literals() string {
	var b strings.Builder
	for i := range t.parts {
		b.WriteString(t.parts[i].text)
	}
	return b.String()
}

// locate sets the slot of all values of a template and the limit of the expansion, and reports encodings that the slot
// does not allow.
func (t *Template) locate(p slot, most int, bad func(msg, fix string)) {
	t.most = most
	for i := range t.parts {
		t.parts[i].slot = p
		if p != inTarget {
			t.parts[i].refuseEncoding(bad)
		}
	}
	if len(t.literals()) > most {
		bad(fmt.Sprintf("%d bytes", len(t.literals())), fmt.Sprintf("%d are possible", most))
	}
}

func (p *part) refuseEncoding(bad func(msg, fix string)) {
	if p.encoding != plain {
		bad("|path and |query do not encode for "+slotNames[p.slot], "they are for paths and queries; drop them here")
	}
}
