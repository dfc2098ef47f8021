package http

import (
	"strings"
	"testing"
)

func TestLookupFindsEveryName(t *testing.T) {
	taken := map[uint8]ID{}
	for id := Connection; id < numIDs; id++ {
		n := id.String()
		if n == "" {
			t.Fatalf("ID %d has no name", id)
		}
		if n != strings.ToLower(n) || !ValidName([]byte(n)) {
			t.Errorf("name %q is not a token in lower case", n)
		}
		k := slot(len(n), n[0], n[len(n)-1])
		if other, ok := taken[k]; ok {
			t.Errorf("%q and %q share slot %d: choose other factors", n, other, k)
		}
		taken[k] = id
		for _, form := range []string{n, strings.ToUpper(n), strings.ToUpper(n[:1]) + n[1:]} {
			if got := Lookup([]byte(form)); got != id {
				t.Errorf("Lookup(%q) = %d (%s), want %d", form, got, got, id)
			}
		}
	}
}

func TestLookupOfOthers(t *testing.T) {
	for _, n := range []string{"", "x", "hos", "hosts", "h\x0fst", "content_length", "content-lengtH\x00", "x-forwarded-for", "\x00ost"} {
		if got := Lookup([]byte(n)); got != Other {
			t.Errorf("Lookup(%q) = %s, want Other", n, got)
		}
	}
	if s := ID(200).String(); s != "" {
		t.Errorf("ID(200) prints %q, want nothing", s)
	}
}

func TestFraming(t *testing.T) {
	for id, want := range map[ID]bool{
		Other: false, Connection: true, ContentLength: true, TransferEncoding: true, Upgrade: true, Expect: true,
		Host: true, KeepAlive: true, ProxyConnection: true, TE: false, Date: false, ContentType: false,
	} {
		if got := id.Framing(); got != want {
			t.Errorf("%q.Framing() = %v, want %v", id.String(), got, want)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	n := []byte("Content-Type")
	for b.Loop() {
		if Lookup(n) != ContentType {
			b.Fatal("not found")
		}
	}
}
