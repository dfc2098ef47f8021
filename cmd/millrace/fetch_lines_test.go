package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// messages returns the messages that an upload makes of the lines of in, with a buffer of the given size.
func messages(t *testing.T, in io.Reader, room int) (got []string) {
	t.Helper()
	u, err := openUpload(in, &fetchFlags{lines: true})
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	u.h = idleHandle(t)
	u.failed = func(err error) { t.Fatal(err) }
	turns := make(chan func(), 1)
	u.post = func(f func()) { turns <- f }
	buf := make([]byte, room)
	within := false
	for !u.sent() {
		n, f, r := u.fillLine(buf)
		if r == ss.TxDontSend {
			if !u.sent() {
				(<-turns)()
			}
			continue
		}
		if within == (f&ss.SOM != 0) {
			t.Fatalf("SOM %v within a message %v", f&ss.SOM != 0, within)
		}
		if f&ss.SOM != 0 {
			got = append(got, "")
		}
		got[len(got)-1] += string(buf[:n])
		within = f&ss.EOM == 0
	}
	if within {
		t.Errorf("the last of %d messages has no EOM", len(got))
	}
	return got
}

// idleHandle is a stream that is never connected.
func idleHandle(t *testing.T) *ss.Handle {
	t.Helper()
	p, err := policy.Parse([]byte(`{"s":[{"none":{"endpoint":"127.0.0.1","port":1,"protocol":"ws"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	l := loop.New(sys, loop.Config{})
	t.Cleanup(func() { l.Close() })
	rt, err := ss.New(ss.Config{Loop: l, Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	h, err := rt.Create(ss.Info{StreamType: "none"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestLines checks that messages do not depend on the pieces of the input or on the size of the buffer.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a", []string{"a"}},
		{"a\n", []string{"a"}},
		{"a\r\n\r\n\nb", []string{"a", "", "", "b"}},
		{"a\rb\r\r\nc\r", []string{"a\rb\r", "c\r"}},
		{"\r", []string{"\r"}},
		{"\r\r", []string{"\r\r"}},
		{"\r\n", []string{""}},
		{strings.Repeat("0123456789", 20) + "\r\nx\n", []string{strings.Repeat("0123456789", 20), "x"}},
		{strings.Repeat("\r", 50) + "\n", []string{strings.Repeat("\r", 49)}},
	} {
		for _, room := range []int{3, 7, 4096} {
			for name, in := range map[string]io.Reader{
				"whole":         strings.NewReader(c.in),
				"byte by byte":  iotest.OneByteReader(strings.NewReader(c.in)),
				"with its end":  iotest.DataErrReader(strings.NewReader(c.in)),
				"halves":        iotest.HalfReader(strings.NewReader(c.in)),
				"bytes and end": iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(c.in))),
			} {
				if got := messages(t, in, room); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
					t.Errorf("%.20q, %s, %d bytes of room: got %.80q, want %.80q", c.in, name, room, got, c.want)
				}
			}
		}
	}
}

// TestTextCheck checks that the result does not depend on the pieces.
func TestTextCheck(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "plain": true, "é": true, "日本語": true, "a\U0001F600b": true, "é日\U0001F600": true,
		"\xff": false, "a\xc3": false, "\xe6\x97": false, "\xf0\x9f\x98": false, "\xc3(": false, "\x80": false,
		"\xe6\x97x": false, "\xed\xa0\x80": false, "\xc0\xaf": false, "ok\xf4\x90\x80\x80": false, "\xf0\x9f\x98\x80\xf0": false,
	} {
		for i := range len(text) + 1 {
			for j := i; j <= len(text); j++ {
				var c textCheck
				b := []byte(text)
				if got := c.valid(b[:i], false) && c.valid(b[i:j], false) && c.valid(b[j:], true); got != want {
					t.Errorf("%q, split at %d and %d: got %v, want %v", text, i, j, got, want)
				}
			}
		}
		var c textCheck
		got := true
		for i := range len(text) {
			got = got && c.valid([]byte(text[i:i+1]), false)
		}
		if got = got && c.valid(nil, true); got != want {
			t.Errorf("%q, byte by byte: got %v, want %v", text, got, want)
		}
	}
}

// TestAsLine checks the printed form of messages.
func TestAsLine(t *testing.T) {
	for _, c := range []struct {
		f    ss.Flags
		want string
	}{
		{ss.Text | ss.SOM | ss.EOM, "h\xffi\n"}, {ss.Text | ss.SOM, "h\xffi"}, {ss.Text | ss.EOM, "h\xffi\n"},
		{ss.Binary | ss.SOM | ss.EOM, "68ff69\n"}, {ss.Binary, "68ff69"},
	} {
		if got := asLine(nil, []byte("h\xffi"), c.f); !bytes.Equal(got, []byte(c.want)) {
			t.Errorf("flags %#x: got %q, want %q", uint32(c.f), got, c.want)
		}
	}
}
