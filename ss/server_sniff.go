package ss

import (
	"bytes"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// sniffedHTTP is an accepted connection in clear whose first bytes are to tell what it speaks. Its stream exists
// already, as that of any accepted connection does.
type sniffedHTTP struct{ acceptedHTTP }

// h2Preface is what a client of HTTP/2 begins with when it knows that the server speaks it (RFC 9113 s.3.3). No
// request of HTTP/1.1 begins so.
const h2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

var _ roles.Upper = (*sniffedHTTP)(nil)

// Rx is roles.Upper's. It uses nothing: the bytes are for what it makes room for.
func (a *sniffedHTTP) Rx(_ time.Duration, b []byte) int {
	n := min(len(b), len(h2Preface))
	line, _, whole := bytes.Cut(b, newline)
	switch r := a.h.rt; {
	case string(b[:n]) == h2Preface[:n]:
		if n == len(h2Preface) {
			a.Lower().Replace(a.speakH2())
		}
	case !http.IsTokenByte(b[0]):
		a.Lower().Replace(&a.acceptedHTTP) // it can tell at once
	case !whole && len(line) <= r.h1.Config().Limits.StartLine:
	case whole && !bytes.Contains(line, version):
		// It is a wrong preface (RFC 9113 s.3.4) as well as a wrong request line, from one who might read neither answer.
		r.h2.Counters.Failed++
		a.Lower().Close(roles.Graceful, errNeither)
	default:
		a.Lower().Replace(&a.acceptedHTTP)
	}
	return 0
}

var (
	newline, version = []byte("\n"), []byte(" HTTP/")
	errNeither       = &http.ProtocolError{Proto: "h2", Where: "preface", Reason: "neither it nor a request line of HTTP/1.x"}
)

// RxEnd is roles.Upper's. What has come is no preface any more.
func (a *sniffedHTTP) RxEnd(time.Duration, int) { a.Lower().Replace(&a.acceptedHTTP) }
