package ws

import (
	"encoding/base64"
	"strings"

	"github.com/millrace/millrace/roles/http"
)

// Offer is the client's side of a handshake: the client of streams (package ss) has one per attempt. Declare one, call Ask
// before the request is sent, and Check when the response has arrived. Answer, in accept.go, is the server's side.
type Offer struct {
	protocols []string
	extended  bool         // the request is an extended CONNECT
	deflate   bool         // the request offers compression
	plain     bool         // compression is not offered even if the Config has it on
	fresh     bool         // our messages are compressed without reference to earlier ones, even if the response allows it
	asked     terms        // the parameters that were offered with compression
	key       [keyLen]byte // Sec-WebSocket-Key; unused if extended
}

// WithoutDeflate makes Ask offer no compression even if the Config has it on: for a server whose answer to the offer was
// invalid.
func (o *Offer) WithoutDeflate() { o.plain = true }

// Deflate reports whether Ask offered compression.
func (o *Offer) Deflate() bool { return o.deflate }

// Ask makes m a request for WebSocket: by Upgrade or, if extended is set, by an extended CONNECT, which the server must
// have announced (RFC 8441 s.3). protocols are the subprotocols to offer, the preferred one first; o keeps the slice. Ask
// sets Method, Upgrade and Protocol of m and adds fields; the caller sets the target, the authority and other fields. The
// slices that Ask adds are either new or constants of the package: they remain valid, and must not be changed.
func (o *Offer) Ask(sh *Shared, m *http.Message, protocols []string, extended bool) {
	*o = Offer{protocols: protocols, extended: extended, fresh: !sh.cfg.Deflate.KeepTx, plain: o.plain}
	o.deflate = sh.cfg.Deflate.On && !o.plain
	m.Length = 0
	if extended {
		m.Method, m.Protocol, m.Upgrade = []byte("CONNECT"), websocket, nil
	} else {
		m.Method, m.Protocol, m.Upgrade = []byte("GET"), nil, websocket
		var raw [16]byte
		sh.cfg.Rand(raw[:])
		base64.StdEncoding.Encode(o.key[:], raw[:])
		add(m, nameKey, http.SecWebSocketKey, append([]byte(nil), o.key[:]...))
	}
	add(m, nameVersion, http.SecWebSocketVersion, version13)
	if len(protocols) > 0 {
		add(m, nameProtocol, http.SecWebSocketProtocol, []byte(strings.Join(protocols, ", ")))
	}
	if o.deflate {
		o.asked = sh.cfg.Deflate.offer()
		add(m, nameExtensions, http.SecWebSocketExtensions, appendTerms(nil, &o.asked))
	}
}

// add appends a field to m, which then refers to name and value.
func add(m *http.Message, name []byte, id http.ID, value []byte) {
	m.Fields = append(m.Fields, http.Field{Name: name, Value: value, ID: id})
}

// Check checks the final response (RFC 6455 s.4.1). The error is an http.ProtocolError: it wraps ErrRefused if the server
// did not switch protocols, ErrExtensions if its extensions do not match the offer. After any error the connection cannot
// be used. A server may select none of the subprotocols. Check does not keep m; Agreed.Protocol
// is a string of protocols.
func (o *Offer) Check(m *http.Message) (Agreed, error) {
	var a Agreed
	if o.extended {
		if m.Status < 200 || m.Status > 299 {
			return a, errStatus
		}
	} else {
		if m.Status != 101 {
			return a, errStatus
		}
		if !http.EqualFold(m.Upgrade, "websocket") {
			return a, errSwitch
		}
		var want [acceptLen]byte
		acceptFor(&want, o.key[:])
		if v, once := single(m, http.SecWebSocketAccept); !once || string(v) != string(want[:]) {
			return a, errAccept
		}
	}
	if f := o.protocol(&a, m); f != nil {
		return Agreed{}, f
	}
	if f := o.extensions(&a, m); f != nil {
		return Agreed{}, f
	}
	return a, nil
}

// protocol checks the server's choice, which is one of the offered subprotocols or none, and stores it in a.
func (o *Offer) protocol(a *Agreed, m *http.Message) *fault {
	v, once := single(m, http.SecWebSocketProtocol)
	if v == nil && !once {
		return nil
	}
	for _, p := range o.protocols {
		if once && string(v) == p {
			a.Protocol = p
			return nil
		}
	}
	return errNotOffered
}

// extensions checks that the response has at most one extension, permessage-deflate with parameters that fit the offer, and
// stores them in a.
func (o *Offer) extensions(a *Agreed, m *http.Message) *fault {
	for i := range m.Fields {
		if m.Fields[i].ID != http.SecWebSocketExtensions {
			continue
		}
		var e extension
		for rest := m.Fields[i].Value; ; {
			var ok, bad bool
			if rest, ok, bad = nextExtension(rest, &e); bad {
				return errExtensions
			}
			if !ok {
				break
			}
			switch {
			case !o.deflate || !http.EqualFold(e.name, deflateName):
				return errUnasked
			case a.Deflate:
				return errTwice
			}
			reply, ok := deflateTerms(&e, false)
			if ok {
				a.Params, ok = o.asked.accept(reply)
			}
			if !ok {
				return errParams
			}
			a.Params.ClientFresh = a.Params.ClientFresh || o.fresh
			a.Deflate = true
		}
	}
	return nil
}
