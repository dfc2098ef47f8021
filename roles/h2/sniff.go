package h2

import (
	"bytes"

	"github.com/millrace/millrace/roles/http"
)

// Sniffed is what the first bytes of an accepted connection in plain text tell about its protocol.
type Sniffed uint8

// The verdicts of Sniff.
const (
	SniffMore    Sniffed = iota // both are possible: ask again with more bytes
	SniffH2                     // the client preface of HTTP/2
	SniffH1                     // a request of HTTP/1.x, or bytes that h1 refuses with a response
	SniffNeither                // a first line without an HTTP version: close with ErrSniff, since the peer may read no answer
)

// ErrSniff is the cause with which a connection ends whose first bytes are SniffNeither: an invalid preface
// (RFC 9113 s.3.4) and an invalid request line.
var ErrSniff error = &http.ProtocolError{Proto: "h2", Where: "preface", Reason: "neither it nor a request line of HTTP/1.x"}

var newline, version = []byte("\n"), []byte(" HTTP/")

// Sniff tells HTTP/2 with prior knowledge (RFC 9113 s.3.3) from HTTP/1.x by b, all bytes that came so far, at least
// one. No request of HTTP/1.1 begins with the preface. startLine is the longest request line that h1 accepts: a
// longer one is h1's, which answers 414. b is not used up: it belongs to the protocol that Sniff found.
func Sniff(b []byte, startLine int) Sniffed {
	n := min(len(b), len(preface))
	line, _, whole := bytes.Cut(b, newline)
	switch {
	case string(b[:n]) == preface[:n]:
		if n < len(preface) {
			return SniffMore
		}
		return SniffH2
	case !http.IsTokenByte(b[0]):
		return SniffH1
	case !whole && len(line) <= startLine:
		return SniffMore
	case whole && !bytes.Contains(line, version):
		return SniffNeither
	}
	return SniffH1
}
