package ss

import (
	"errors"

	"github.com/millrace/millrace/roles/http"
)

// ErrNoCredit: the stream has no connection whose protocol grants the peer a window. h1 and raw have none:
// there TCP's is all there is, and Handle.Pause what moves it.
var ErrNoCredit = errors.New("the stream's peer is granted no transmit credit")

// GetEstPeerTxCredit is how many bytes of body the peer may still send, as far as we have granted: what is on its
// way is counted as sent only once it has come. It is 0 where protocol or connection grant nothing.
func (h *Handle) GetEstPeerTxCredit() int64 { return h.be.peerCredit() }

// AddPeerTxCredit lets the peer send n bytes more, on a stream that was made with
// Info.ManualInitialTxCredit. On others it changes nothing: what they grant follows what Rx has taken. The
// error is ErrNoCredit, or ErrMisuse for an n below 0.
func (h *Handle) AddPeerTxCredit(n int) error {
	if h.astray("AddPeerTxCredit") {
		return ErrWrongThread
	}
	return h.be.addPeerCredit(n)
}

func (a *httpClient) peerCredit() int64 {
	if w, ok := a.x.(http.Windowed); ok {
		return w.PeerWindow()
	}
	return 0
}

func (a *httpClient) addPeerCredit(n int) error {
	switch _, ok := a.x.(http.Windowed); {
	case !ok:
		return ErrNoCredit
	case n < 0:
		return ErrMisuse
	}
	a.x.Credit(n)
	return nil
}

// manual has the exchange's peer granted what the program says, if it wants to say it.
func (a *httpClient) manual() {
	if a.o.credit == 0 {
		return
	}
	if w, ok := a.x.(http.Windowed); ok {
		w.ManualCredit()
	}
}
