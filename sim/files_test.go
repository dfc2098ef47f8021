package sim

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"
)

func TestHostsFileListsTheNetwork(t *testing.T) {
	n := New(1, Options{})
	a := n.Host("gateway", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
	b := n.Host("sensor", netip.MustParseAddr("192.0.2.2"))
	n.Host("two words", netip.MustParseAddr("192.0.2.3"))
	want := "192.0.2.1 gateway\n2001:db8::1 gateway\n192.0.2.2 sensor\n"
	for _, h := range []*Host{a, b} {
		if got, err := h.ReadFile("/etc/hosts"); string(got) != want || err != nil {
			t.Errorf("/etc/hosts of %s: got %q, %v, want %q, nil", h.name, got, err, want)
		}
	}
	if err := b.ReplaceFile("/etc/hosts", []byte("192.0.2.9 elsewhere\n")); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.ReadFile("/etc/hosts"); string(got) != "192.0.2.9 elsewhere\n" {
		t.Errorf("/etc/hosts after ReplaceFile: got %q, want the new text", got)
	}
	if got, _ := a.ReadFile("/etc/hosts"); string(got) != want {
		t.Errorf("/etc/hosts of another host: got %q, want %q", got, want)
	}
}

func TestFilesAreCopies(t *testing.T) {
	h := New(1, Options{}).Host("a")
	text := []byte("one")
	if err := h.ReplaceFile("/f", text); err != nil {
		t.Fatal(err)
	}
	text[0] = 'X'
	got, _ := h.ReadFile("/f")
	got[1] = 'X'
	if got, err := h.ReadFile("/f"); string(got) != "one" || err != nil {
		t.Errorf("after the caller changed its slices: got %q, %v, want \"one\", nil", got, err)
	}
	if _, err := h.ReadFile("/g"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: got %v, want fs.ErrNotExist", err)
	}
}
