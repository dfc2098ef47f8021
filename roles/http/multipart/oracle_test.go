package multipart

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/rolestest"
)

// TestReaderOracle: the Reader finds what mime/multipart wrote, also if the content looks like delimiters.
func TestReaderOracle(t *testing.T) {
	var r Reader
	for seed := range 300 {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		var body bytes.Buffer
		var want strings.Builder
		w := multipart.NewWriter(&body)
		if err := w.SetBoundary("B-"); err != nil {
			t.Fatal(err)
		}
		n := 1 + rng.IntN(5)
		for i := range n {
			content := delimiterLike(rng)
			p, err := w.CreatePart(textproto.MIMEHeader{"X-N": {fmt.Sprint(i)}})
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(p, content)
			fmt.Fprintf(&want, "part{X-N=%d}%q", i, content)
			if i < n-1 {
				want.WriteByte(' ')
			}
		}
		want.WriteString("last")
		w.Close()
		for _, how := range []string{"whole", "pieces"} {
			got := read(&r, w.FormDataContentType(), Limits{}, func(f func([]byte)) {
				if how == "whole" {
					f(body.Bytes())
				} else {
					rolestest.Pieces(uint64(seed), body.Bytes(), f)
				}
			})
			if got != want.String() {
				t.Fatalf("seed %d, %s: %q\n got  %s\n want %s", seed, how, body.Bytes(), got, want.String())
			}
		}
	}
}

// delimiterLike returns content made of pieces of delimiters, without a whole one.
func delimiterLike(rng *rand.Rand) string {
	var s strings.Builder
	for range rng.IntN(40) {
		s.WriteString([]string{"\r", "\n", "\r\n", "-", "--", "B", "B-", "\r\n--B", "\r\n--C-", "x", " "}[rng.IntN(11)])
	}
	return strings.ReplaceAll("x"+s.String(), "\r\n--B-", "\r\n--B+")
}

// TestOracleDifferences lists where the Reader and mime/multipart differ, and why.
func TestOracleDifferences(t *testing.T) {
	for _, c := range []struct{ why, body, ours, theirs string }{
		{"lines end with CR LF (RFC 2046 s.5.1.1); mime/multipart accepts a body whose lines all end with LF",
			"--B\n\nx\n--B--\n", "! multipart: body: ends before its last delimiter (400)", `"x"`},
		{"no blank comes before the colon (RFC 9112 s.5.1); mime/multipart accepts one",
			"--B\r\nA : 1\r\n\r\nx\r\n--B--", "! multipart: part header: has a field name that is not a token (400)", `"x"`},
	} {
		var r Reader
		if got := read(&r, mixed, Limits{}, func(f func([]byte)) { f([]byte(c.body)) }); got != c.ours {
			t.Errorf("%s: %q\n got  %s\n want %s", c.why, c.body, got, c.ours)
		}
		theirs := "error"
		if p, err := multipart.NewReader(strings.NewReader(c.body), "B").NextPart(); err == nil {
			b, _ := io.ReadAll(p)
			theirs = fmt.Sprintf("%q", b)
		}
		if theirs != c.theirs {
			t.Errorf("%s: %q: mime/multipart gives %s, want %s", c.why, c.body, theirs, c.theirs)
		}
	}
}
