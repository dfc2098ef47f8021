package ws

import "github.com/millrace/millrace/roles/http"

// Answer is the server's side of a handshake. Declare one, call Accept, and send Message. It must not be copied between
// these steps.
type Answer struct {
	// Message is the head of the response: 101, 200 to an extended CONNECT, or an error status. The caller may add
	// fields before it sends Message.
	Message http.Message
	// Agreed is the argument of Conn.Init, if Accept returned nil.
	Agreed Agreed

	fields [3]http.Field
	accept [acceptLen]byte
	terms  []byte
}

// Accept checks a request that asks for WebSocket (RFC 6455 s.4.2) and fills in a. protocols are the subprotocols that the
// server supports. Accept selects the first one of the client's list that is in protocols. It accepts a client that offers
// none without a subprotocol, ignores the offers if protocols is empty, and else refuses a client whose offers are all
// unknown.
//
// The error is an http.ProtocolError with the status of Message. Accept does not keep m.
func (a *Answer) Accept(sh *Shared, m *http.Message, protocols []string) error {
	*a = Answer{}
	a.Message.Fields = a.fields[:0]
	if f := a.check(sh, m, protocols); f != nil {
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

func (a *Answer) check(sh *Shared, m *http.Message, protocols []string) *fault {
	key, once := single(m, http.SecWebSocketKey)
	switch {
	case extended(m):
		// Over h2 the pseudo field :protocol replaces the key (RFC 8441 s.5).
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
	switch v, once := single(m, http.SecWebSocketVersion); {
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

// protocol selects a subprotocol. Several fields are one list (RFC 6455 s.11.3.4).
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

// extensions accepts the first offer of permessage-deflate that the configuration allows. The response does not name the
// other offers and unknown extensions, which declines them.
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

// NoDeflate removes compression from Agreed and Message, after Accept and before Message is sent: for a server that has no
// memory for it.
func (a *Answer) NoDeflate() {
	if !a.Agreed.Deflate {
		return
	}
	a.Agreed.Deflate, a.Agreed.Params = false, Params{}
	f := a.Message.Fields
	a.Message.Fields = f[:len(f)-1] // Accept adds it last
}
