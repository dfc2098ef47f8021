package ss

import (
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/h2"
)

// sniffedHTTP is an accepted plain-text connection of a server that supports both versions of HTTP: its first bytes
// decide. Its stream exists from the start, as that of any accepted connection.
type sniffedHTTP struct{ acceptedHTTP }

var _ roles.Upper = (*sniffedHTTP)(nil)

// Rx implements roles.Upper. It consumes no byte: all belong to the role that replaces it.
func (a *sniffedHTTP) Rx(_ time.Duration, b []byte) int {
	switch r := a.h.rt; h2.Sniff(b, r.h1.Config().Limits.StartLine) {
	case h2.SniffH2:
		a.Lower().Replace(speakH2(a.origin.server, a.h, a.Lower()))
	case h2.SniffH1:
		a.Lower().Replace(&a.acceptedHTTP)
	case h2.SniffNeither:
		r.h2.Counters.Failed++
		a.Lower().Close(roles.Graceful, h2.ErrSniff)
	}
	return 0
}

// RxEnd implements roles.Upper. The bytes so far cannot become a preface any more.
func (a *sniffedHTTP) RxEnd(time.Duration, int) { a.Lower().Replace(&a.acceptedHTTP) }
