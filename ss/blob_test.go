package ss_test

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/ss"
)

func TestBlobMemory(t *testing.T) {
	var m ss.BlobMemory
	if v, ok := m.Blob(ss.BlobAuth, 0); ok {
		t.Errorf("an empty memory: got %q, want nothing", v)
	}
	token := []byte("token")
	m.Set(ss.BlobAuth, 0, token)
	m.Set(ss.BlobAuth, 1, []byte("refresh"))
	copy(token, "xxxxx")
	first, _ := m.Blob(ss.BlobAuth, 0)
	if !bytes.Equal(first, []byte("token")) {
		t.Errorf("after Set: got %q, want the value as it was given", first)
	}
	m.Set(ss.BlobAuth, 0, []byte("another"))
	if v, ok := m.Blob(ss.BlobAuth, 0); !ok || string(v) != "another" {
		t.Errorf("set again: got %q (%v)", v, ok)
	}
	if !bytes.Equal(first, make([]byte, 5)) {
		t.Errorf("the replaced value: got %q, want it wiped", first)
	}
	m.Set(ss.BlobAuth, 0, nil)
	if v, ok := m.Blob(ss.BlobAuth, 0); ok {
		t.Errorf("after an empty Set: got %q, want nothing", v)
	}
	if v, ok := m.Blob(ss.BlobAuth, 1); !ok || string(v) != "refresh" {
		t.Errorf("the other index: got %q (%v), want it untouched", v, ok)
	}
}

func TestBlobNames(t *testing.T) {
	for id, want := range map[ss.BlobID]string{ss.BlobAuth: "AUTH", ss.BlobDeviceType: "TYPE", ss.BlobExtAuth4: "EXT_AUTH4", ss.BlobExtAuth4 + 1: "unknown"} {
		if id.String() != want {
			t.Errorf("blob %d: got %q, want %q", id, id, want)
		}
	}
}
