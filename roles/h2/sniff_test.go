package h2

import (
	"strings"
	"testing"
)

// TestSniff: the verdict on each text, and that each shorter beginning of it gives the same or asks for more.
func TestSniff(t *testing.T) {
	const startLine = 64
	for _, c := range []struct {
		text string
		want Sniffed
	}{
		{preface, SniffH2},
		{preface + "\x00\x00\x00\x04\x00", SniffH2},
		{preface[:len(preface)-1], SniffMore},
		{"P", SniffMore},
		{"PRI * HTTP/2.0\r\n\r\nXX", SniffH1}, // h1 refuses the version
		{"PRI * HTTP/1.1\r\n", SniffH1},
		{"GET / HTTP/1.1\r\nHost: x\r\n", SniffH1},
		{"GET / HTTP/1.1\n", SniffH1},
		{"GET / HTTP/1.1\r", SniffMore},
		{"PRINT / HTTP/1.0\r\n", SniffH1},
		{"POST", SniffMore},
		{"\r\nGET / HTTP/1.1\r\n", SniffH1},
		{"\x16\x03\x01", SniffH1},                           // TLS: h1 answers 400
		{"GET /" + strings.Repeat("x", startLine), SniffH1}, // h1 answers 414
		{"GET /" + strings.Repeat("x", startLine-5), SniffMore},
		{"INVALID CONNECTION PREFACE\r\n", SniffNeither},
		{"GET /\r\n", SniffNeither},
		{"hello\n", SniffNeither},
	} {
		for n := 1; n <= len(c.text); n++ {
			got := Sniff([]byte(c.text[:n]), startLine)
			if n == len(c.text) && got != c.want || got != c.want && got != SniffMore {
				t.Errorf("Sniff(%q) = %d, want %d for the whole text %q", c.text[:n], got, c.want, c.text)
				break
			}
		}
	}
}
