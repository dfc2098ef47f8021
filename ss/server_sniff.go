package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
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
	switch {
	case string(b[:n]) != h2Preface[:n]:
		a.Lower().Replace(&a.acceptedHTTP)
	case n == len(h2Preface):
		a.Lower().Replace(a.speakH2())
	}
	return 0
}

// RxEnd is roles.Upper's. What has come is no preface any more.
func (a *sniffedHTTP) RxEnd(time.Duration, int) { a.Lower().Replace(&a.acceptedHTTP) }
