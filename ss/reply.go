package ss

import "sync"

// Reply answers the request of an accepted HTTP stream: status, Content-Type if mediaType is not empty, Content-Length, and
// the body. It may be called from any callback and between turns, once per request, until something of another
// answer has been sent. body is not copied: it must not change until the transaction is over. The stream's own Tx is
// not asked. The result is for the callback to return; after LWSSSSRET_DISCONNECT_ME, for a mediaType that no field can
// carry, there is no answer. Without a request Reply does nothing.
func Reply(h *Handle, status int, mediaType string, body []byte) Ret {
	h.ServerAck(status)
	if mediaType != "" {
		if h.SetHeader("content-type", mediaType) != nil {
			h.Disconnect()
			return DisconnectMe
		}
	}
	if len(body) == 0 {
		return h.RequestTxLen(0)
	}
	p := replies.Get().(*replyBody)
	p.SetBytes(body)
	h.TxFrom(p)
	return h.RequestTxLen(int64(len(body)))
}

// replyBody is the body of a Reply on its way.
type replyBody struct{ Body }

var replies = sync.Pool{New: func() any { return new(replyBody) }}

// Tx implements Source.
func (p *replyBody) Tx(h *Handle, ordinal uint32, buf []byte) (int, Flags, Ret) {
	n, f, r := p.Body.Tx(h, ordinal, buf)
	if f&EOM != 0 {
		p.SetBytes(nil)
		replies.Put(p) // it is not asked again after EOM
	}
	return n, f, r
}
