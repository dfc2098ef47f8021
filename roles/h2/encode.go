package h2

import (
	"strconv"
	"unsafe"

	"golang.org/x/net/http2/hpack"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// coder is where hpack's encoders write. There is one per loop: a block is made and copied out at once.
type blockWriter struct {
	enc   *hpack.Encoder // without a table: what it makes is good for any connection
	block []byte
	lower []byte // scratch: names in lower case
	num   [20]byte
}

// Write implements io.Writer.
func (o *blockWriter) Write(p []byte) (int, error) {
	o.block = append(o.block, p...)
	return len(p), nil
}

// tableOff is the dynamic table size update by which the first block of a server tells that it will use no
// table (RFC 7541 s.6.3), whatever size the peer grants (RFC 9113 s.4.3.1).
const tableOff = 0x20

// plain returns the encoder without a table.
func (o *blockWriter) plain() *hpack.Encoder {
	if o.enc == nil {
		o.enc = hpack.NewEncoder(o)
		o.enc.SetMaxDynamicTableSize(0)
		o.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}) // carries the update
	}
	o.block = o.block[:0]
	return o.enc
}

// view is b as a string, for an encoder that keeps none.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lowered is name in lower case: itself if it is so already.
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

// judge says what is wrong with fields that a handler wants to send. own is a name that we write ourselves,
// besides those that frame.
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

// lastBlock is the response block that was made last. The next response is often the same until the clock
// has moved on, and a block without a table may be sent on any connection.
type blockCache struct {
	status int
	length int64
	date   []byte
	words  []byte // names and values of the fields, one behind another
	sizes  []int  // their lengths
	block  []byte // empty: there is none
}

// wordsKept is the most that is compared with the next.
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

// response makes the block of a response's head; length below 0 is not announced. The slice is valid until
// the next call.
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

// trailers makes the block of a trailer section.
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

// blockBound is the most that a block of these fields, and of pseudo fields with so many octets, can take: literals
// with two lengths of up to three octets and one in front.
func maxBlockLen(pseudo int, fields []http.Field) int {
	n := pseudo + 256 // the names, lengths and updates of the table that go before
	for i := range fields {
		n += len(fields[i].Name) + len(fields[i].Value) + 8
	}
	return n
}

// secret says whether a field must not be put into any table, so that nobody can guess it by compression: a
// short credential can be guessed, a long one cannot (RFC 7541 s.7.1.3).
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

// sent is a field that a client sent last, in the strings that its encoder's table may hold. A request that
// says the same again, in the same place, needs no new ones.
type sentField struct {
	name, value string
}

// memory are the encoder of a client's connection and the strings it was given.
type requestEncoder struct {
	enc  *hpack.Encoder
	last []sentField
	n    int
}

// resize takes the size that the peer allows the table.
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

// request makes the block of a request that was judged; path is what :path says.
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

// trailers makes the block of a request's trailer section.
func (y *requestEncoder) trailers(sh *Shared, t []http.Field) []byte {
	o := &sh.writer
	o.block = o.block[:0]
	for i := range t {
		f := &t[i]
		y.enc.WriteField(hpack.HeaderField{Name: string(o.lowerName(f.Name)), Value: string(f.Value), Sensitive: sensitive(f)})
	}
	return o.block
}
