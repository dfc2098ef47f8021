package h2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles/http"
)

// section is the kind of a header section, which decides what pseudo fields belong to it.
type section uint8

const (
	requestSection section = iota
	responseSection
	trailerSection
)

// The pseudo fields, as bits of headerBuilder.pseudo.
const (
	hasMethod = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
	hasStatus
)

// headerBuilder builds a message from the fields that hpack emits. There is one per loop; the message is valid until
// the next section.
type headerBuilder struct {
	msg     *http.Message
	text    []byte // the bytes that the message points into
	section section
	limit   int // of the size of the section
	max     int // of the number of fields
	list    int
	cookies int
	pseudo  uint8
	lengths uint8
	hosts   uint8
	over    bool
	unix    bool // the connection came in on a Unix socket
	fault   *fault
	host    []byte
}

// reset starts a section.
func (a *headerBuilder) reset(sh *Shared, s section) {
	m := &sh.msg
	m.Reset()
	m.Version, m.Length = http.HTTP2, http.UnknownLength
	*a = headerBuilder{msg: m, text: a.text[:0], section: s, limit: sh.cfg.Limits.HeaderList, max: sh.cfg.Limits.Fields}
}

// keep copies s into the section's text.
func (a *headerBuilder) keep(s string) []byte {
	n := len(a.text)
	a.text = append(a.text, s...)
	return a.text[n:len(a.text):len(a.text)]
}

// emit is called by hpack for each field. The first fault is kept for finish, since a block must be decoded to its
// end in any case.
func (a *headerBuilder) emit(f hpack.HeaderField) {
	if a.over || a.fault != nil {
		return
	}
	if a.list += len(f.Name) + len(f.Value) + 32; a.list > a.limit {
		a.over = true
		return
	}
	if len(f.Name) > 0 && f.Name[0] == ':' {
		a.fault = a.emitPseudo(f)
		return
	}
	if len(a.msg.Fields) >= a.max {
		a.over = true
		return
	}
	a.fault = a.emitField(f)
}

func (a *headerBuilder) emitPseudo(f hpack.HeaderField) *fault {
	if len(a.msg.Fields) > 0 {
		return errPseudo
	}
	var bit uint8
	var to *[]byte
	m := a.msg
	switch f.Name {
	case ":method":
		bit, to = hasMethod, &m.Method
	case ":scheme":
		bit, to = hasScheme, &m.Scheme
	case ":authority":
		bit, to = hasAuthority, &m.Authority
	case ":path":
		bit, to = hasPath, &m.Target
	case ":protocol":
		bit, to = hasProtocol, &m.Protocol
	case ":status":
		bit = hasStatus
		if m.Status = parseStatus(f.Value); m.Status == 0 {
			return errStatus
		}
	default:
		return errPseudo
	}
	switch {
	case a.pseudo&bit != 0:
		return errPseudo
	case a.section == trailerSection:
		return errTrailers
	case (bit == hasStatus) != (a.section == responseSection):
		return errPseudoMore
	}
	a.pseudo |= bit
	if to != nil {
		*to = a.keep(f.Value)
	}
	return nil
}

// parseStatus returns the status, or 0 if s is no status of HTTP/2 (RFC 9113 s.8.6 drops 101).
func parseStatus(s string) int {
	if len(s) != 3 || s[0] < '1' || s[0] > '9' || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' {
		return 0
	}
	n := int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	if n == 101 {
		return 0
	}
	return n
}

// lowerToken is the set of octets in field names (RFC 9113 s.8.2.1).
var lowerToken = func() (t [256]bool) {
	for c := range t {
		t[c] = http.IsTokenByte(byte(c)) && (c < 'A' || c > 'Z')
	}
	return t
}()

func (a *headerBuilder) emitField(f hpack.HeaderField) *fault {
	if len(f.Name) == 0 {
		return errName
	}
	for i := range len(f.Name) {
		if !lowerToken[f.Name[i]] {
			return errName
		}
	}
	name, value := a.keep(f.Name), a.keep(f.Value)
	if !http.ValidValue(value) {
		return errValue
	}
	id := http.Lookup(name)
	switch id {
	case http.Connection, http.TransferEncoding, http.Upgrade, http.KeepAlive, http.ProxyConnection:
		return errConnField
	case http.TE:
		if f.Value != "trailers" {
			return errTE
		}
	case http.ContentLength:
		// A response may repeat its length, as on h1 (RFC 9110 s.8.6).
		n := http.ParseLength(value, a.section == responseSection)
		twice := a.lengths > 0 && (n != a.msg.Length || a.section != responseSection)
		if n < 0 || twice || a.section == trailerSection {
			return errLength
		}
		a.lengths, a.msg.Length = 1, n
	case http.Host:
		if a.hosts++; a.hosts > 1 {
			return errAuthority
		}
		a.host = value
	case http.Expect:
		a.msg.Continue = a.msg.Continue || http.EqualFold(value, "100-continue")
	case http.Cookie:
		a.cookies++
	}
	a.msg.Fields = append(a.msg.Fields, http.Field{Name: name, Value: value, ID: id})
	return nil
}

// finish checks the section as a whole and completes the message. It does not check a section that is too long.
func (a *headerBuilder) finish() *fault {
	switch {
	case a.fault != nil || a.over:
		return a.fault
	case a.section == trailerSection:
		return nil
	case a.section == responseSection:
		if a.pseudo&hasStatus == 0 {
			return errPseudoNone
		}
		a.joinCookies()
		return nil
	}
	if f := a.finishRequest(); f != nil {
		return f
	}
	a.joinCookies()
	return nil
}

// finishRequest checks the pseudo fields of a request (RFC 9113 s.8.3.1 and s.8.5, RFC 8441 s.4).
func (a *headerBuilder) finishRequest() *fault {
	m := a.msg
	if a.pseudo&hasMethod == 0 {
		return errPseudoNone
	}
	if !http.ValidName(m.Method) {
		return errMethod
	}
	connect := string(m.Method) == "CONNECT"
	need := uint8(hasScheme | hasPath)
	switch {
	case connect && a.pseudo&hasProtocol == 0:
		if a.pseudo&(hasScheme|hasPath) != 0 {
			return errPseudoMore
		}
		need = hasAuthority
	case connect:
		need |= hasAuthority
		if !http.ValidName(m.Protocol) {
			return errPseudo
		}
	case a.pseudo&hasProtocol != 0:
		return errPseudoMore
	}
	if a.pseudo&need != need {
		return errPseudoNone
	}
	if a.hosts > 0 {
		if a.pseudo&hasAuthority == 0 {
			m.Authority = a.host
		} else if !http.EqualFold(a.host, string(m.Authority)) {
			return errAuthority
		}
	}
	legal := http.ValidAuthority(m.Authority) || a.unix && http.ValidUnixAuthority(m.Authority)
	if !legal || connect && len(m.Authority) == 0 {
		return errAuthority
	}
	if a.pseudo&hasScheme != 0 && !validScheme(m.Scheme) {
		return errScheme
	}
	if a.pseudo&hasPath == 0 {
		return nil
	}
	return splitTarget(m)
}

func splitTarget(m *http.Message) *fault {
	t := m.Target
	if len(t) == 0 || !http.ValidPathQuery(t) || t[0] != '/' && (string(t) != "*" || string(m.Method) != "OPTIONS") {
		return errPath
	}
	m.Path, m.Query = t, nil
	for i, c := range t {
		if c == '?' {
			m.Path, m.Query = t[:i], t[i+1:]
			break
		}
	}
	return nil
}

// validScheme reports whether b is a scheme (RFC 3986 s.3.1).
func validScheme(b []byte) bool {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return len(b) > 0
}

// joinCookies joins Cookie fields into one: HTTP/2 lets a client split the field (RFC 9113 s.8.2.3).
func (a *headerBuilder) joinCookies() {
	if a.cookies < 2 {
		return
	}
	from := len(a.text)
	fields := a.msg.Fields
	first, n := -1, 0
	for _, f := range fields {
		if f.ID == http.Cookie {
			if first >= 0 {
				a.text = append(a.text, "; "...)
				a.text = append(a.text, f.Value...)
				continue
			}
			first = n
			a.text = append(a.text, f.Value...)
		}
		fields[n] = f
		n++
	}
	fields[first].Value = a.text[from:len(a.text):len(a.text)]
	a.msg.Fields = fields[:n]
}
