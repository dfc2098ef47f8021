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

// perfTrace holds the measurements of one connection for the policy's perf key. Times are those of the loop's System,
// 0 for events that have not happened. A nil perfTrace is valid: perf is off.
type perfTrace struct {
	dial   wsi.Trace
	secure time.Duration // the TLS handshake is over
	sent   time.Duration // the head of the first request was sent
	heard  time.Duration // the head of its response was received
	status int
}

// perfMax is the largest report, in bytes, as in libwebsockets. It lists as many of the name's addresses as fit.
const perfMax = 500

// Values of dns_disp.
const (
	nameNone    = 0 // no lookup was needed, or it did not finish
	nameFound   = 1
	nameFailed  = 2 // no DNS server answered
	nameUnknown = 3 // the name does not exist
)

// append appends the report as JSON, with libwebsockets' keys in libwebsockets' order.
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

// appendStep appends the duration of a step in microseconds; 0 if it is not over.
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
