package ws

import "github.com/millrace/millrace/roles/http"

// Answer is a server's part of a handshake. It is a value: make one, call Accept, send Message. It must not be
// copied in between.
type Answer struct {
	// Message is the response's head: 101, or 200 to an extended CONNECT, or one that refuses. It may be
	// given further fields before it is sent.
	Message http.Message
	// Agreed is for Conn.Init, if Accept returned nil.
	Agreed Agreed

	fields [3]http.Field
	accept [acceptLen]byte
	terms  []byte
}

// Accept judges a request that asks for WebSocket, and fills in a. protocols are the subprotocols that are
// served. A client that offers none is accepted without one; of those that it does offer, the first that
// is served is selected. If nothing is served but none, offers are passed over; otherwise a client with
// offers that are all unknown is refused.
//
// The error is an http.ProtocolError with the status of Message. m is not kept.
func (a *Answer) Accept(sh *Shared, m *http.Message, protocols []string) error {
	*a = Answer{}
	a.Message.Fields = a.fields[:0]
	if f := a.judge(sh, m, protocols); f != nil {
		a.Agreed = Agreed{}
		a.Message = http.Message{Status: f.Status, Fields: a.fields[:0]}
		if f.Status == 426 {
			// RFC 6455 s.4.4, RFC 9110 s.15.5.22.
			a.Message.Upgrade = websocket
			a.add(nameVersion, http.SecWebSocketVersion, version13)
		}
		return f
	}
	return nil
}

func (a *Answer) judge(sh *Shared, m *http.Message, protocols []string) *fault {
	key, once := only(m, http.SecWebSocketKey)
	switch {
	case extended(m):
		// What h1 checks by a key, h2 does by a pseudo field (RFC 8441 s.5).
		a.Message.Status = 200
	case !listed(m.Upgrade, "websocket"):
		return errUpgrade
	case string(m.Method) != "GET":
		return errMethod
	case m.Version == http.HTTP10 || m.Length != 0:
		return errVersion10
	case !once || !validKey(key):
		return errKey
	default:
		a.Message.Status, a.Message.Upgrade = 101, websocket
		acceptFor(&a.accept, key)
		a.add(nameAccept, http.SecWebSocketAccept, a.accept[:])
	}
	switch v, once := only(m, http.SecWebSocketVersion); {
	case !once:
		return errNoVersion
	case string(v) != "13":
		return errVersion
	}
	if f := a.protocol(m, protocols); f != nil {
		return f
	}
	return a.extensions(sh, m)
}

func (a *Answer) add(name []byte, id http.ID, value []byte) {
	a.Message.Fields = append(a.Message.Fields, http.Field{Name: name, Value: value, ID: id})
}

// protocol selects a subprotocol. Several fields count as one (RFC 6455 s.11.3.4).
func (a *Answer) protocol(m *http.Message, served []string) *fault {
	offered := 0
	selected := ""
	for i := range m.Fields {
		if m.Fields[i].ID != http.SecWebSocketProtocol {
			continue
		}
		for item, rest, ok := http.NextItem(m.Fields[i].Value); ok; item, rest, ok = http.NextItem(rest) {
			if offered++; offered > maxProtocols || !http.ValidName(item) {
				return errProtocols
			}
			for _, s := range served {
				if selected == "" && string(item) == s {
					selected = s
				}
			}
		}
	}
	switch {
	case selected != "":
		a.Agreed.Protocol = selected
		a.add(nameProtocol, http.SecWebSocketProtocol, []byte(selected))
	case offered > 0 && len(served) > 0:
		return errProtocol
	}
	return nil
}

// extensions takes the first offer of permessage-deflate that suits us. Others, and extensions we do not
// know, are declined by not being named.
func (a *Answer) extensions(sh *Shared, m *http.Message) *fault {
	for i := range m.Fields {
		if m.Fields[i].ID != http.SecWebSocketExtensions {
			continue
		}
		var e extension
		for rest := m.Fields[i].Value; ; {
			var ok, bad bool
			if rest, ok, bad = nextExtension(rest, &e); bad {
				return errExtension
			}
			if !ok {
				break
			}
			if !sh.cfg.Deflate.On || a.Agreed.Deflate || !http.EqualFold(e.name, deflateName) {
				continue
			}
			offer, ok := deflateTerms(&e, true)
			if !ok {
				continue
			}
			if reply, agreed, ok := sh.cfg.Deflate.answer(offer); ok {
				a.Agreed.Deflate, a.Agreed.Params = true, agreed
				a.terms = appendTerms(nil, &reply)
			}
		}
	}
	if a.Agreed.Deflate {
		a.add(nameExtensions, http.SecWebSocketExtensions, a.terms)
	}
	return nil
}

// NoDeflate takes back what Accept has agreed upon of compression, before Message is sent: for a server that has no
// memory for it at present.
func (a *Answer) NoDeflate() {
	if !a.Agreed.Deflate {
		return
	}
	a.Agreed.Deflate, a.Agreed.Params = false, Params{}
	f := a.Message.Fields
	a.Message.Fields = f[:len(f)-1] // Accept adds it last
}
