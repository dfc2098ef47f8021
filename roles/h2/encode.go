package h2

import (
	"strconv"
	"unsafe"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// blockWriter is the destination of hpack's encoders. There is one per loop: each block is copied out before the
// next.
type blockWriter struct {
	enc   *hpack.Encoder // without a table: its blocks are valid on any connection
	block []byte
	lower []byte // scratch: names in lower case
	num   [20]byte
}

// Write implements io.Writer.
func (o *blockWriter) Write(p []byte) (int, error) {
	o.block = append(o.block, p...)
	return len(p), nil
}

// tableOff is the dynamic table size update with which the first block of a server declares that it uses no table
// (RFC 7541 s.6.3), whatever size the peer allows (RFC 9113 s.4.3.1).
const tableOff = 0x20

// plain returns the encoder without a table.
func (o *blockWriter) plain() *hpack.Encoder {
	if o.enc == nil {
		o.enc = hpack.NewEncoder(o)
		o.enc.SetMaxDynamicTableSize(0)
		o.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}) // this block carries the size update
	}
	o.block = o.block[:0]
	return o.enc
}

// view returns b as a string, for an encoder that keeps no reference to it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lowerName returns name in lower case: name itself if it has no capitals.
func (o *blockWriter) lowerName(name []byte) []byte {
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			o.lower = append(o.lower[:0], name...)
			for j := i; j < len(name); j++ {
				if c := name[j]; c >= 'A' && c <= 'Z' {
					o.lower[j] = c | 0x20
				}
			}
			return o.lower
		}
	}
	return name
}

// checkFields returns what is wrong with the fields of a message to send. own is a field that this package writes,
// besides the framing fields.
func checkFields(fields []http.Field, own http.ID) error {
	for i := range fields {
		f := &fields[i]
		id := f.ID
		if id == http.Other {
			if !http.ValidName(f.Name) {
				return errSendName
			}
			id = http.Lookup(f.Name)
		}
		switch {
		case !http.ValidValue(f.Value):
			return errSendValue
		case id.Framing() || id != http.Other && id == own, id == http.TE && string(f.Value) != "trailers":
			return errSendFraming
		}
	}
	return nil
}

// blockCache holds the last response block. The next response is often the same until the Date changes, and a block
// without a table is valid on any connection.
type blockCache struct {
	status int
	length int64
	date   []byte
	words  []byte // names and values of the fields, concatenated
	sizes  []int  // their lengths
	block  []byte // empty: there is none
}

// maxCachedWords bounds the bytes that are compared with the next response.
const maxCachedWords = 2048

func (l *blockCache) match(status int, length int64, date []byte, fields []http.Field) bool {
	if len(l.block) == 0 || l.status != status || l.length != length || string(l.date) != string(date) ||
		len(l.sizes) != 2*len(fields) {
		return false
	}
	w := l.words
	for i := range fields {
		n, v := fields[i].Name, fields[i].Value
		if l.sizes[2*i] != len(n) || l.sizes[2*i+1] != len(v) || string(w[:len(n)]) != string(n) ||
			string(w[len(n):len(n)+len(v)]) != string(v) {
			return false
		}
		w = w[len(n)+len(v):]
	}
	return true
}

func (l *blockCache) remember(status int, length int64, date []byte, fields []http.Field, block []byte) {
	l.block, l.words, l.sizes = l.block[:0], l.words[:0], l.sizes[:0]
	for i := range fields {
		n, v := fields[i].Name, fields[i].Value
		l.words = append(append(l.words, n...), v...)
		l.sizes = append(l.sizes, len(n), len(v))
	}
	if len(l.words) > maxCachedWords {
		return
	}
	l.status, l.length = status, length
	l.date = append(l.date[:0], date...)
	l.block = append(l.block, block...)
}

// response encodes the head of a response. A length below 0 is not announced. The slice is valid until the next call.
func (sh *Shared) response(m *http.Message, length int64) ([]byte, error) {
	var date []byte
	if sh.cfg.Date != nil && m.Status >= 200 {
		date = sh.cfg.Date()
	}
	if sh.cache.match(m.Status, length, date, m.Fields) {
		return sh.cache.block, nil
	}
	if err := checkFields(m.Fields, http.Date); err != nil {
		return nil, err
	}
	o := &sh.writer
	e := o.plain()
	e.WriteField(hpack.HeaderField{Name: ":status", Value: view(strconv.AppendInt(o.num[:0], int64(m.Status), 10))})
	if len(date) > 0 {
		e.WriteField(hpack.HeaderField{Name: "date", Value: view(date)})
	}
	if sh.cfg.ServerName != "" && m.Status >= 200 {
		e.WriteField(hpack.HeaderField{Name: "server", Value: sh.cfg.ServerName})
	}
	if length >= 0 {
		e.WriteField(hpack.HeaderField{Name: "content-length", Value: view(strconv.AppendInt(o.num[:0], length, 10))})
	}
	o.fields(e, m.Fields)
	if len(o.block) > roles.MaxRoom-headerLen-1 {
		return nil, errSendSize
	}
	if m.Status >= 200 {
		sh.cache.remember(m.Status, length, date, m.Fields, o.block)
	}
	return o.block, nil
}

// trailers encodes a trailer section.
func (sh *Shared) trailers(t []http.Field) ([]byte, error) {
	if err := checkFields(t, http.Other); err != nil {
		return nil, err
	}
	o := &sh.writer
	o.fields(o.plain(), t)
	if len(o.block) > roles.MaxRoom-headerLen-1 {
		return nil, errSendSize
	}
	return o.block, nil
}

func (o *blockWriter) fields(e *hpack.Encoder, fields []http.Field) {
	for i := range fields {
		f := &fields[i]
		e.WriteField(hpack.HeaderField{Name: view(o.lowerName(f.Name)), Value: view(f.Value), Sensitive: sensitive(f)})
	}
}

// maxBlockLen is an upper bound of the size of a block with these fields and with pseudo fields of so many octets: a
// literal has two lengths of up to three octets each and one octet before them.
func maxBlockLen(pseudo int, fields []http.Field) int {
	n := pseudo + 256 // names and lengths of the pseudo fields, and table size updates
	for i := range fields {
		n += len(fields[i].Name) + len(fields[i].Value) + 8
	}
	return n
}

// sensitive reports whether a field must not be in any table, so that an attacker cannot guess its value by
// compression: that is possible for short credentials only (RFC 7541 s.7.1.3).
func sensitive(f *http.Field) bool {
	id := f.ID
	if id == http.Other {
		id = http.Lookup(f.Name)
	}
	switch id {
	case http.Authorization, http.Cookie, http.SetCookie:
		return len(f.Value) < 20
	}
	return false
}

// sentField is a field of a client's last request, in the strings that the encoder's table may hold. The same field
// at the same place in the next request needs no new strings.
type sentField struct {
	name, value string
}

// requestEncoder is the encoder of a client's connection, with the strings that it was given.
type requestEncoder struct {
	enc  *hpack.Encoder
	last []sentField
	n    int
}

// resize sets the size that the peer allows for the table.
func (y *requestEncoder) resize(sh *Shared, size uint32) {
	y.start(sh)
	y.enc.SetMaxDynamicTableSizeLimit(size)
	y.enc.SetMaxDynamicTableSize(min(size, 4096))
}

func (y *requestEncoder) start(sh *Shared) {
	if y.enc == nil {
		y.enc = hpack.NewEncoder(&sh.writer)
	}
}

func (y *requestEncoder) write(name, value []byte, secret bool) {
	if y.n == len(y.last) {
		y.last = append(y.last, sentField{})
	}
	s := &y.last[y.n]
	y.n++
	if s.name != string(name) {
		s.name = string(name)
	}
	if s.value != string(value) {
		s.value = string(value)
	}
	y.enc.WriteField(hpack.HeaderField{Name: s.name, Value: s.value, Sensitive: secret})
}

var (
	pseudoMethod    = []byte(":method")
	pseudoScheme    = []byte(":scheme")
	pseudoAuthority = []byte(":authority")
	pseudoPath      = []byte(":path")
	pseudoProtocol  = []byte(":protocol")
	nameLength      = []byte("content-length")
	nameExpect      = []byte("expect")
	valueContinue   = []byte("100-continue")
)

// request encodes the head of a request that was checked. path is the value of :path.
func (y *requestEncoder) request(sh *Shared, m *http.Message, path []byte, length int64) []byte {
	o := &sh.writer
	y.start(sh)
	o.block = o.block[:0]
	y.n = 0
	y.write(pseudoMethod, m.Method, false)
	y.write(pseudoScheme, m.Scheme, false)
	y.write(pseudoAuthority, m.Authority, false)
	y.write(pseudoPath, path, false)
	if len(m.Protocol) > 0 {
		y.write(pseudoProtocol, m.Protocol, false)
	}
	if length >= 0 {
		y.write(nameLength, strconv.AppendInt(o.num[:0], length, 10), false)
	}
	if m.Continue {
		y.write(nameExpect, valueContinue, false)
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		y.write(o.lowerName(f.Name), f.Value, sensitive(f))
	}
	return o.block
}

// trailers encodes the trailer section of a request.
func (y *requestEncoder) trailers(sh *Shared, t []http.Field) []byte {
	o := &sh.writer
	o.block = o.block[:0]
	for i := range t {
		f := &t[i]
		y.enc.WriteField(hpack.HeaderField{Name: string(o.lowerName(f.Name)), Value: string(f.Value), Sensitive: sensitive(f)})
	}
	return o.block
}
