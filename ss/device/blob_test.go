package device_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/millrace/millrace/ss/device"
)

func TestBlobMemory(t *testing.T) {
	var m device.BlobMemory
	if v, ok := m.Blob(device.BlobAuth, 0); ok {
		t.Errorf("an empty memory: got %q, want nothing", v)
	}
	token := []byte("token")
	m.Set(device.BlobAuth, 0, token)
	m.Set(device.BlobAuth, 1, []byte("refresh"))
	copy(token, "xxxxx")
	first, _ := m.Blob(device.BlobAuth, 0)
	if !bytes.Equal(first, []byte("token")) {
		t.Errorf("after Set: got %q, want the value as it was given", first)
	}
	m.Set(device.BlobAuth, 0, []byte("another"))
	if v, ok := m.Blob(device.BlobAuth, 0); !ok || string(v) != "another" {
		t.Errorf("set again: got %q (%v)", v, ok)
	}
	if !bytes.Equal(first, make([]byte, 5)) {
		t.Errorf("the replaced value: got %q, want it wiped", first)
	}
	m.Set(device.BlobAuth, 0, nil)
	if v, ok := m.Blob(device.BlobAuth, 0); ok {
		t.Errorf("after an empty Set: got %q, want nothing", v)
	}
	if v, ok := m.Blob(device.BlobAuth, 1); !ok || string(v) != "refresh" {
		t.Errorf("the other index: got %q (%v), want it untouched", v, ok)
	}
}

func TestBlobNames(t *testing.T) {
	for id, want := range map[device.BlobID]string{device.BlobAuth: "AUTH", device.BlobDeviceType: "TYPE", device.BlobExtAuth4: "EXT_AUTH4", device.BlobExtAuth4 + 1: "unknown"} {
		if id.String() != want {
			t.Errorf("blob %d: got %q, want %q", id, id, want)
		}
	}
}

// TestLookup: a blob without a value is an error that names the blob and the key of the policy.
func TestLookup(t *testing.T) {
	var m device.BlobMemory
	m.Set(device.BlobAuth, 1, []byte("token"))
	empty := device.BlobFunc(func(device.BlobID, int) ([]byte, bool) { return nil, true })
	if v, err := device.Lookup(&m, device.BlobAuth, 1, "key"); err != nil || string(v) != "token" {
		t.Errorf("a blob that is set: got %q, %v", v, err)
	}
	for what, b := range map[string]device.Blobs{"no blobs": nil, "another index": &m, "an empty value": empty} {
		v, err := device.Lookup(b, device.BlobAuth, 0, "http_auth_header")
		var e *device.BlobError
		if v != nil || !errors.Is(err, device.ErrNoBlob) || !errors.As(err, &e) || e.ID != device.BlobAuth || e.Key != "http_auth_header" {
			t.Errorf("%s: got %q, %v; want a BlobError for AUTH and http_auth_header", what, v, err)
		}
	}
}
