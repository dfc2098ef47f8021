package roles_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
)

func TestTurnPutsOutputFirst(t *testing.T) {
	o := roles.Turn{Left: 100}
	if !o.Due(true) || o.Due(false) {
		t.Errorf("at first: got due %v when wanted, %v when not; want true and false", o.Due(true), o.Due(false))
	}
	if !o.Wrote(60, true) || o.Left != 40 || !o.Due(true) {
		t.Errorf("after 60 of 100 bytes: got %+v, want 40 left, and Writable due again", o)
	}
	if o.Wrote(0, true) || o.Due(true) {
		t.Errorf("after a Writable that had nothing and asked again: got due %v, want false in this turn", o.Due(true))
	}
	o.Idle = false
	if !o.Wrote(0, false) {
		t.Error("a Writable that had nothing and asked for no other: got no progress, want progress: it answered what was asked")
	}
	if o.Wrote(50, true); o.Left > 0 {
		t.Errorf("after 110 of 100 bytes: got %d left, want none", o.Left)
	}
}

func TestClaimHasOneOwner(t *testing.T) {
	var c roles.Claim[string]
	room := make([]byte, 10)
	c.Give("a", room)
	if !c.Is("a") || c.Is("b") || c.Owner() != "a" {
		t.Errorf("owner: got %q, want a", c.Owner())
	}
	if !c.Check("test", "a", 10, 10) {
		t.Error("the owner may not commit what it has room for")
	}
	if c.Check("test", "b", 0, 10) {
		t.Error("a Commit of nothing without room: got true, want false")
	}
	for _, k := range []struct {
		who  string
		n    int
		want string
	}{
		{"b", 1, "test: commit: 1 bytes without room: it belongs to another connection, or to none"},
		{"a", 11, "test: commit: 11 bytes into room for 10"},
		{"a", -1, "test: commit: -1 bytes into room for 10"},
	} {
		if got := panics(func() { c.Check("test", k.who, k.n, 10) }); got != k.want {
			t.Errorf("%s commits %d bytes: got panic %q, want %q", k.who, k.n, got, k.want)
		}
	}
	c.N = 3
	c.Drop("b")
	if !c.Is("a") || c.N != 3 {
		t.Errorf("dropped by another: got %+v, want no change", c)
	}
	c.Give("b", room)
	if c.Is("a") || c.N != 0 {
		t.Errorf("given to b: got %+v, want that a has nothing any more", c)
	}
	if r := c.Take("a"); r != nil || c.Is("b") {
		t.Errorf("taken by a: got %d bytes of room, owner %q; want none and none", len(r), c.Owner())
	}
}

// panics returns what f panics with, "" for nothing.
func panics(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = strings.TrimSpace(fmt.Sprint(r))
		}
	}()
	f()
	return ""
}
