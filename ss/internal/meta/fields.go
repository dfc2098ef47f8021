package meta

import (
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/roles/http"
)

// Fields are header fields that a program named itself, as direct_proto_str allows it. The zero Fields is empty.
type Fields struct{ list []field }

type field struct {
	name, value []byte
	id          http.ID
	class       http.FieldClass
}

// MaxFields and MaxFieldBytes bound what one stream may add to a head beside its policy, in fields and in bytes of names
// and values: a peer with small limits still accepts that.
const (
	MaxFields     = 64
	MaxFieldBytes = 8 << 10
)

var (
	errName   = errors.New("it is no field name")
	errOwn    = errors.New("the protocol writes this field itself")
	errValue  = errors.New("the value holds what no field can carry")
	errNumber = fmt.Errorf("there are %d such fields, or %d bytes in them, already", MaxFields, MaxFieldBytes)
)

// CheckField returns why the program may not set a field, nil if it may: name is as FieldName returns it. A server's
// Date field is the protocol's.
func CheckField(name string, v []byte, server bool) error {
	id := http.Lookup([]byte(name))
	switch {
	case !http.ValidName([]byte(name)):
		return errName
	case id.Framing() || id == http.Date && server:
		return errOwn
	case !http.ValidValue(v):
		return errValue
	}
	return nil
}

// FieldName returns name in the form in which fields are compared: in lower case, without a colon at the end.
func FieldName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ":")) }

// Set copies v into the field called name, for which CheckField returned nil. The error is about MaxFields and
// MaxFieldBytes; then nothing changes.
func (f *Fields) Set(name string, v []byte) error {
	at, sum := len(f.list), len(name)+len(v)
	for i := range f.list {
		if d := &f.list[i]; string(d.name) == name {
			at = i
		} else {
			sum += len(d.name) + len(d.value)
		}
	}
	if at == MaxFields || sum > MaxFieldBytes {
		return errNumber
	}
	if at == len(f.list) {
		if at < cap(f.list) {
			f.list = f.list[:at+1] // with the memory of what was there
		} else {
			f.list = append(f.list, field{})
		}
	}
	d := &f.list[at]
	d.name, d.value = append(d.name[:0], name...), append(d.value[:0], v...)
	d.id = http.Lookup(d.name)
	d.class = http.ClassOf(d.name, d.id)
	return nil
}

// Remove removes the field called name. The memory of its slot is kept for another.
func (f *Fields) Remove(name string) {
	for i := range f.list {
		if string(f.list[i].name) == name {
			last := len(f.list) - 1
			f.list[i], f.list[last] = f.list[last], f.list[i]
			f.list = f.list[:last]
			return
		}
	}
}

// Get returns the value of the field called name.
func (f *Fields) Get(name string) ([]byte, bool) {
	for i := range f.list {
		if d := &f.list[i]; string(d.name) == name {
			return d.value, true
		}
	}
	return nil, false
}

// Append appends the fields to dst, except those of a class in omit. Names and values are valid until they are set
// again.
func (f *Fields) Append(dst []http.Field, omit http.FieldClass) []http.Field {
	for i := range f.list {
		if d := &f.list[i]; d.class&omit == 0 {
			dst = append(dst, http.Field{Name: d.name, Value: d.value, ID: d.id})
		}
	}
	return dst
}

// reset removes all fields, and keeps the memory of small ones.
func (f *Fields) reset() {
	f.list = f.list[:0]
	for _, d := range f.list[:cap(f.list)] {
		if cap(d.name)+cap(d.value) > smallField {
			f.list = nil
			break
		}
	}
}

// smallField is the largest field, in bytes, whose memory is kept for the next one.
const smallField = 256
