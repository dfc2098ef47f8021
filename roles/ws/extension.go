package ws

import "github.com/millrace/millrace/roles/http"

// maxParams is the number of parameters that are stored of an extension: permessage-deflate has four.
const maxParams = 4

// param is a parameter of an extension. has reports whether it has a value, which may be empty.
type param struct {
	name, value []byte
	has         bool
}

// extension is an element of the list. over reports that it has more than maxParams parameters.
type extension struct {
	name   []byte
	params [maxParams]param
	n      int
	over   bool
}

// nextExtension parses the first extension of b, a value of Sec-WebSocket-Extensions (RFC 6455 s.9.1), and returns what
// follows it. ok is false at the end of the list; bad reports a syntax error.
func nextExtension(b []byte, e *extension) (rest []byte, ok, bad bool) {
	*e = extension{}
	for b = http.TrimOWS(b); len(b) > 0 && b[0] == ','; {
		b = http.TrimOWS(b[1:])
	}
	if len(b) == 0 {
		return nil, false, false
	}
	if e.name, b = token(b); len(e.name) == 0 {
		return nil, false, true
	}
	for b = http.TrimOWS(b); len(b) > 0 && b[0] == ';'; b = http.TrimOWS(b) {
		var p param
		if p.name, b = token(http.TrimOWS(b[1:])); len(p.name) == 0 {
			return nil, false, true
		}
		if b = http.TrimOWS(b); len(b) > 0 && b[0] == '=' {
			p.has = true
			if p.value, b, ok = value(http.TrimOWS(b[1:])); !ok {
				return nil, false, true
			}
		}
		if e.n == maxParams {
			e.over = true
			continue
		}
		e.params[e.n] = p
		e.n++
	}
	if len(b) > 0 && b[0] != ',' {
		return nil, false, true
	}
	return b, true, false
}

func token(b []byte) (t, rest []byte) {
	i := 0
	for i < len(b) && http.IsTokenByte(b[i]) {
		i++
	}
	return b[:i], b[i:]
}

// value parses a token, quoted or not. A quoted one with an escape returns an empty value, since no known parameter can
// have it.
func value(b []byte) (v, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		v, rest = token(b)
		return v, rest, len(v) > 0
	}
	escaped, n := false, 0
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"' && n == 0:
			return nil, nil, false
		case c == '"' && escaped:
			return nil, b[i+1:], true
		case c == '"':
			return b[1:i], b[i+1:], true
		case c == '\\' && i+1 < len(b) && http.IsTokenByte(b[i+1]):
			escaped = true
			i++
		case !http.IsTokenByte(c):
			return nil, nil, false
		}
		n++
	}
	return nil, nil, false
}

const deflateName = "permessage-deflate"

// terms are the parameters of a permessage-deflate extension (RFC 7692 s.7.1). Bits are 0 if the parameter is absent. hint
// reports client_max_window_bits without a value.
type terms struct {
	Params
	hint bool
}

// deflateTerms reads the parameters. ok is false if one is unknown, given twice or has an invalid value; only an offer may
// have the hint.
func deflateTerms(e *extension, offer bool) (t terms, ok bool) {
	if e.over {
		return t, false
	}
	var seen [4]bool
	for _, p := range e.params[:e.n] {
		i := 0
		switch string(p.name) {
		case "server_no_context_takeover":
			t.ServerFresh, ok = true, !p.has
		case "client_no_context_takeover":
			i = 1
			t.ClientFresh, ok = true, !p.has
		case "server_max_window_bits":
			i = 2
			t.ServerBits, ok = windowBits(p.value)
		case "client_max_window_bits":
			i = 3
			if offer && !p.has {
				t.hint, ok = true, true
				break
			}
			t.ClientBits, ok = windowBits(p.value)
		default:
			return t, false
		}
		if !ok || seen[i] {
			return t, false
		}
		seen[i] = true
	}
	return t, true
}

// windowBits parses a number from 8 to 15 without leading zeros (RFC 7692 s.7.1.2.1).
func windowBits(b []byte) (uint8, bool) {
	switch {
	case len(b) == 1 && (b[0] == '8' || b[0] == '9'):
		return b[0] - '0', true
	case len(b) == 2 && b[0] == '1' && b[1] >= '0' && b[1] <= '5':
		return 10 + b[1] - '0', true
	}
	return 0, false
}

// appendTerms appends permessage-deflate with its parameters.
func appendTerms(b []byte, t *terms) []byte {
	b = append(b, deflateName...)
	if t.ServerFresh {
		b = append(b, "; server_no_context_takeover"...)
	}
	if t.ClientFresh {
		b = append(b, "; client_no_context_takeover"...)
	}
	if t.ServerBits != 0 {
		b = appendBits(append(b, "; server_max_window_bits="...), t.ServerBits)
	}
	switch {
	case t.ClientBits != 0:
		b = appendBits(append(b, "; client_max_window_bits="...), t.ClientBits)
	case t.hint:
		b = append(b, "; client_max_window_bits"...)
	}
	return b
}

func appendBits(b []byte, n uint8) []byte {
	if n >= 10 {
		b = append(b, '1')
	}
	return append(b, '0'+n%10)
}

// answer returns a server's reply to an offer, and what both have agreed on then; ok is false if the server declines.
func (d *Deflate) answer(offer terms) (reply terms, agreed Params, ok bool) {
	rx, tx := bitsOr15(d.RxBits), bitsOr15(d.TxBits)
	reply.ServerFresh = offer.ServerFresh || !d.KeepTx
	reply.ClientFresh = offer.ClientFresh || !d.KeepRx
	agreed = Params{ServerFresh: reply.ServerFresh, ClientFresh: reply.ClientFresh}
	// An offer without server_max_window_bits allows any window of ours; one with it limits the reply.
	agreed.ServerBits = min(bitsOr15(offer.ServerBits), tx)
	if offer.ServerBits != 0 || tx < 15 {
		reply.ServerBits = agreed.ServerBits
	}
	// The reply may limit the window of a client only if the offer has client_max_window_bits (RFC 7692 s.7.1.2.2).
	agreed.ClientBits = 15
	if offer.hint || offer.ClientBits != 0 {
		agreed.ClientBits = min(bitsOr15(offer.ClientBits), rx)
		if agreed.ClientBits < 15 {
			reply.ClientBits = agreed.ClientBits
		}
	}
	return reply, agreed, agreed.ClientBits <= rx
}

// offer returns the offer of a client. It has at most one of the two no_context_takeover parameters: servers of
// libwebsockets 4.4 to 5.0 repeat those that were offered and cut the reply at 63 octets. A client needs no agreement in
// order not to refer to its earlier messages (RFC 7692 s.7.1.1.2).
func (d *Deflate) offer() (t terms) {
	t.ServerFresh, t.ClientFresh, t.hint = !d.KeepRx, d.KeepRx && !d.KeepTx, true
	if rx := bitsOr15(d.RxBits); rx < 15 {
		t.ServerBits = rx
	}
	if tx := bitsOr15(d.TxBits); tx < 15 {
		t.ClientBits = tx
	}
	return t
}

// accept returns what both have agreed on when a server replies to an offer; ok is false if the reply does not match: a
// server must confirm a limit that the offer asks for, or decline (RFC 7692 s.7.1).
func (offer *terms) accept(reply terms) (agreed Params, ok bool) {
	agreed = Params{
		ServerFresh: reply.ServerFresh,
		ClientFresh: reply.ClientFresh || offer.ClientFresh,
		ServerBits:  bitsOr15(reply.ServerBits),
		ClientBits:  min(bitsOr15(reply.ClientBits), bitsOr15(offer.ClientBits)),
	}
	switch {
	case offer.ServerFresh && !reply.ServerFresh,
		offer.ServerBits != 0 && agreed.ServerBits > offer.ServerBits,
		offer.ClientBits != 0 && reply.ClientBits > offer.ClientBits:
		return agreed, false
	}
	return agreed, true
}

func bitsOr15(n uint8) uint8 {
	if n == 0 {
		return 15
	}
	return n
}
