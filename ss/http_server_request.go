package ss

import (
	"github.com/millrace/millrace/roles/http"
)

// The start of a request on an accepted HTTP stream: a transaction or a WebSocket. This file is above those of both.

// Head implements http.Handler: a transaction starts.
func (t *transaction) Head(x http.Exchange, m *http.Message) {
	h := t.h
	if h.flags&destroyed != 0 {
		return
	}
	switch {
	case h.streamType.upgrades(m):
		t.upgrade(x, m)
		return
	case len(m.Protocol) > 0:
		t.refuse(x, http.Message{Status: 501}) // RFC 8441: a protocol that no stream supports
		return
	}
	t.x, t.status, t.flags = x, 0, 0
	if h.flags&doomed != 0 {
		return // the end of the turn ends the exchange
	}
	if string(m.Method) == "HEAD" {
		t.flags |= txnHead
	}
	if m.Length != 0 || takesBody(m.Method) {
		t.flags |= txnForm
	}
	if h.streamType.pol.HTTP.MultipartIn {
		if _, err := h.split(x, m, h.be.wsi(), t); err != nil {
			t.x = nil
			t.refuse(x, http.Message{Status: statusFor(err)})
			return
		}
	}
	h.rt.withHead(h, m)
	t.begin(m)
	h.rt.withHead(nil, nil)
}

// begin takes the stream to SERVER_TXN.
func (t *transaction) begin(m *http.Message) {
	h := t.h
	if h.Life() != Connected {
		h.be.wsi().Established()
		h.tell(Connected, Notice{})
		if h.flags&doomed != 0 {
			return
		}
	}
	h.flags &^= txWanted // requested between transactions: there is nothing to answer yet
	h.dropSource()
	h.rt.Counters.Transactions++
	t.describeRequest(m)
	if h.flags&isPaused != 0 {
		t.x.Pause()
	}
	h.tell(ServerTxn, Notice{})
}
