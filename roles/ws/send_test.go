package ws

import (
	"errors"
	"strings"
	"testing"
)

func TestSendLengths(t *testing.T) {
	sides(func(side string, client bool) {
		for _, n := range []int{0, 1, 7, 8, 124, 125, 126, 127, 128, 1000, MaxMin} {
			c, l := open(newShared(), client, Agreed{}, &recorder{})
			s := prose(n)
			if r := c.Room(n); len(r) < n {
				t.Fatalf("%s: room for %d, want %d", side, len(r), n)
			} else {
				copy(r, s)
			}
			if err := c.Commit(n, First|Last|Binary); err != nil {
				t.Fatal(err)
			}
			wantSent(t, l, client, "binary ["+s+"]")
		}
	})
}

func TestSendFragments(t *testing.T) {
	sides(func(side string, client bool) {
		c, l := open(newShared(), client, Agreed{}, &recorder{})
		for _, p := range []struct {
			s string
			f Flags
		}{{"one", First}, {"two", 0}, {"", 0}, {"three", Last}, {"", First | Last | Binary}, {"four", First | Last}} {
			copy(c.Room(len(p.s)), p.s)
			if err := c.Commit(len(p.s), p.f); err != nil {
				t.Fatal(err)
			}
		}
		wantSent(t, l, client, "text [one", "continuation [two", "continuation [", "continuation [three]", "binary []", "text [four]")
	})
}

// TestSendLong checks that a message longer than any room is sent in several frames, with control frames between them.
func TestSendLong(t *testing.T) {
	sides(func(side string, client bool) {
		s := prose(200000)
		rest, f := []byte(s), First|Binary|Last
		h := &recorder{}
		h.writable = func(c *Conn) {
			n, err := c.Send(rest, f)
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; n > 0 {
				f &^= First
			}
			if len(rest) > 0 {
				c.WantWrite()
			}
		}
		c, l := open(newShared(), client, Agreed{}, h)
		c.WantWrite()
		var got strings.Builder
		pongs := 0
		for i := range 1000 {
			l.Allow = 3000
			l.Feed(frame(!client, bitFin|opPing, "p"))
			l.Out, l.Allow = append([]byte(nil), l.Out...), 0
			for _, s := range frames(t, client, l.Out) {
				if s == "pong [p]" {
					pongs++
					continue
				}
				body, _ := strings.CutPrefix(s, "binary [")
				body, _ = strings.CutPrefix(body, "continuation [")
				got.WriteString(strings.TrimSuffix(body, "]"))
			}
			l.Out = make([]byte, 0, 20000)
			if len(rest) == 0 && i > 3 {
				break
			}
		}
		if got.String() != s || pongs == 0 || l.Misuse != "" {
			t.Errorf("%s: got %d octets, want %d; %d pongs; misuse %q", side, got.Len(), len(s), pongs, l.Misuse)
		}
	})
}

func TestCommitMisuse(t *testing.T) {
	c, l := serve(&recorder{})
	if err := c.Commit(0, Last); !errors.Is(err, ErrMisuse) {
		t.Errorf("a message ends that was not begun: %v", err)
	}
	if err := c.Commit(1, First); !errors.Is(err, ErrMisuse) {
		t.Errorf("an octet without room: %v", err)
	}
	c.Room(10)
	if err := c.Commit(1<<20, First); !errors.Is(err, ErrMisuse) {
		t.Errorf("more than room: %v", err)
	}
	other, _ := open(c.sh, false, Agreed{}, &recorder{})
	other.Room(10)
	if err := c.Commit(5, First); !errors.Is(err, ErrMisuse) {
		t.Errorf("another's room: %v", err)
	}
	if err := c.Commit(0, First); err != nil {
		t.Errorf("an empty beginning: %v", err)
	}
	if err := c.Commit(0, First); !errors.Is(err, ErrMisuse) {
		t.Errorf("a message in a message: %v", err)
	}
	wantSent(t, l, false, "text [")
	l.Refuse = true
	if err := c.Commit(0, Last); err != ErrNoRoom {
		t.Errorf("no room: %v, want ErrNoRoom", err)
	}
}
