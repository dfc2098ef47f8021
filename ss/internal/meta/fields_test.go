package meta

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
)

// TestCheckField: what a program may set by name.
func TestCheckField(t *testing.T) {
	for _, c := range []struct {
		name, value string
		server      bool
		want        error
	}{
		{"x-foo", "v", false, nil}, {"x-foo", "", true, nil}, {"date", "today", false, nil}, {"date", "today", true, errOwn},
		{"content-length", "5", false, errOwn}, {"connection", "close", true, errOwn}, {"transfer-encoding", "chunked", false, errOwn},
		{"x foo", "v", false, errName}, {"", "v", false, errName}, {":status", "200", true, errName},
		{"x-foo", "a\r\nb", false, errValue}, {"x-foo", " a", false, errValue}, {"x-foo", "a\x00", true, errValue},
	} {
		if got := CheckField(c.name, []byte(c.value), c.server); got != c.want {
			t.Errorf("CheckField(%q, %q, server %v) = %v, want %v", c.name, c.value, c.server, got, c.want)
		}
	}
	for in, want := range map[string]string{"X-Foo:": "x-foo", "x-foo": "x-foo", "": "", ":": ""} {
		if got := FieldName(in); got != want {
			t.Errorf("FieldName(%q) = %q, want %q", in, got, want)
		}
	}
}

// text is what f appends, as "name=value, ...".
func text(f *Fields, omit http.FieldClass) string {
	var list []string
	for _, h := range f.Append(nil, omit) {
		if want := http.Lookup(h.Name); h.ID != want {
			list = append(list, fmt.Sprintf("wrong ID %v for", h.ID))
		}
		list = append(list, string(h.Name)+"="+string(h.Value))
	}
	return strings.Join(list, ", ")
}

// TestFields sets, replaces, reads, removes and appends fields.
func TestFields(t *testing.T) {
	var f Fields
	set := func(name, v string) {
		t.Helper()
		if err := f.Set(name, []byte(v)); err != nil {
			t.Errorf("Set(%q, %q): %v", name, v, err)
		}
	}
	want := func(when string, omit http.FieldClass, want string) {
		t.Helper()
		if got := text(&f, omit); got != want {
			t.Errorf("%s, without class %d: got %q, want %q", when, omit, got, want)
		}
	}
	set("x-one", "1")
	set("authorization", "secret")
	set("content-type", "text/x")
	set("x-one", "first")
	want("three fields", 0, "x-one=first, authorization=secret, content-type=text/x")
	want("three fields", http.OfOrigin, "x-one=first, content-type=text/x")
	want("three fields", http.OfOrigin|http.OfContent, "x-one=first")
	if v, ok := f.Get("x-one"); !ok || string(v) != "first" {
		t.Errorf("Get(x-one): got %q, %v; want first", v, ok)
	}
	f.Remove("x-none")
	f.Remove("x-one")
	if v, ok := f.Get("x-one"); ok {
		t.Errorf("Get(x-one) after Remove: got %q, want nothing", v)
	}
	want("after Remove", 0, "content-type=text/x, authorization=secret")
	set("x-two", "2") // in the slot of the removed one
	want("after another Set", 0, "content-type=text/x, authorization=secret, x-two=2")
	f.reset()
	want("after reset", 0, "")
}

// TestFieldsAreBounded in their number and in their bytes; a field that is set can be replaced at the limit.
func TestFieldsAreBounded(t *testing.T) {
	var f Fields
	for i := range MaxFields {
		if err := f.Set(fmt.Sprintf("x-%d", i), []byte("v")); err != nil {
			t.Fatalf("field %d: %v", i, err)
		}
	}
	if err := f.Set("x-more", nil); err != errNumber {
		t.Errorf("field %d: got %v, want %v", MaxFields, err, errNumber)
	}
	if err := f.Set("x-7", []byte("again")); err != nil {
		t.Errorf("a field that is set, at the limit: %v", err)
	}
	f.reset()
	if err := f.Set("x", make([]byte, MaxFieldBytes-1)); err != nil {
		t.Errorf("%d bytes: %v", MaxFieldBytes, err)
	}
	if err := f.Set("y", nil); err != errNumber {
		t.Errorf("%d bytes: got %v, want %v", MaxFieldBytes+1, err, errNumber)
	}
	if f.reset(); cap(f.list) != 0 {
		t.Errorf("after reset: memory of a field of %d bytes is kept", MaxFieldBytes)
	}
}
