package ss

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/wsi"
)

// measured is what the policy's perf reports of one connection. Times are those of the loop's System, 0
// for what has not come about. The methods take a nil measured for one that nobody asked for.
type perfTrace struct {
	dial   wsi.Trace
	secure time.Duration // the TLS handshake is over
	sent   time.Duration // the head of the first request is out
	heard  time.Duration // the head of its response has come
	status int
}

// perfMax is how long a report gets, in bytes, as in the reference. Of the name's addresses it lists as many
// as fit.
const perfMax = 500

// What dns_disp says of the name.
const (
	nameNone    = 0 // there was none to look up, or no time
	nameFound   = 1
	nameFailed  = 2 // nobody could be asked
	nameUnknown = 3 // there is no such name
)

// append appends the report as JSON, with the reference's keys in the reference's order.
func (m *perfTrace) append(b []byte) []byte {
	d := &m.dial
	disp := nameNone
	switch {
	case d.NameError != nil && !errors.Is(d.NameError, wsi.ErrNoName):
		disp = nameFailed
	case d.NameError != nil:
		disp = nameUnknown
	case d.Resolved != 0:
		disp = nameFound
	}
	b = append(b, `{"peer":"`...)
	b = appendPeer(b, d.Peer)
	b = append(b, '"')
	b = appendStep(b, "dns_us", d.Began, d.Resolved)
	b = append(b, `,"dns_disp":`...)
	b = strconv.AppendInt(b, int64(disp), 10)
	b = appendStep(b, "sockconn_us", max(d.Began, d.Resolved), d.Connected)
	b = appendStep(b, "tls_us", d.Connected, m.secure)
	b = appendStep(b, "txn_resp_us", m.sent, m.heard)
	var tail []byte
	if m.status != 0 {
		tail = append(tail, `,"prot_specific":{"protocol":"http","resp":`...)
		tail = strconv.AppendInt(tail, int64(m.status), 10)
		tail = append(tail, '}')
	}
	b = append(b, `,"dns":[`...)
	for i, a := range d.Addrs {
		was := len(b)
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = a.AppendTo(b)
		b = append(b, '"')
		if len(b)+len("]}")+len(tail) > perfMax {
			b = b[:was]
			break
		}
	}
	b = append(b, ']')
	b = append(b, tail...)
	return append(b, '}')
}

// appendStep appends how long a step took, in microseconds; 0 while it is not over.
func appendStep(b []byte, key string, began, over time.Duration) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	if began == 0 || over < began {
		return append(b, '0')
	}
	return strconv.AppendInt(b, (over - began).Microseconds(), 10)
}

// appendPeer appends the inside of a JSON string: an address without its port, or a path.
func appendPeer(b []byte, a loop.Addr) []byte {
	if a.IP != (netip.AddrPort{}) {
		return a.IP.Addr().AppendTo(b)
	}
	for _, r := range strings.ToValidUTF8(a.Path, "?") {
		if r < ' ' || r == '"' || r == '\\' {
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
			continue
		}
		b = append(b, string(r)...)
	}
	return b
}
