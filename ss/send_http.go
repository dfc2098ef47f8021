package ss

import "fmt"

var errLongBody = fmt.Errorf("%w: more body than was announced", ErrMisuse)
var errShortBody = fmt.Errorf("%w: the body is shorter than was announced", ErrMisuse)

// send is Handle.Send for the response of an accepted HTTP stream. Its head goes first, if it is not out yet.
func (t *transaction) send(h *Handle, b []byte, f Flags) (n int, err error) {
	x := t.x
	switch {
	case x == nil || t.flags&(txnAnswered|txnUpgrade) != 0:
		return 0, ErrNotConnected
	case !x.Cork():
		return 0, nil
	}
	switch {
	case t.flags&txnHeadSent == 0 && !t.sendHead(x):
		x.Uncork()
		if h.flags&doomed != 0 {
			err = ErrMisuse
		}
		return 0, err
	case t.flags&txnAnswered != 0: // this response has no body
		x.Uncork()
		return len(b), nil
	}
	end := f&EOM != 0
	n, whole := x.Send(b, end)
	x.Uncork()
	left := int64(-1)
	if t.left != uncounted {
		t.left -= uint32(n)
		left = int64(t.left)
	}
	err = h.checkSent(len(b)-n, left, end)
	if end && whole || left == 0 {
		t.flags |= txnAnswered
	}
	return n, err
}

// send is Handle.Send for the request of a client stream, once its head is out, or for its WebSocket.
func (a *httpClient) send(h *Handle, b []byte, f Flags) (n int, err error) {
	x := a.x
	switch {
	case a.ws != nil:
		return a.ws.send(h, b, f)
	case a.conn == nil || x == nil || !a.sent:
		if a.o.phase == phaseAttempt && !a.isWS() {
			return 0, nil
		}
		return 0, ErrNotConnected
	case !a.sending:
		return 0, ErrNotConnected
	case a.out != nil && a.out.form != nil, !x.Cork():
		return 0, nil
	}
	end := f&EOM != 0
	n, whole := x.Send(b, end)
	x.Uncork()
	a.took = true
	if a.left > 0 {
		a.left -= int64(n)
	}
	err = h.checkSent(len(b)-n, a.left, end)
	if end && whole || a.left == 0 {
		a.sending = false
		a.awaitResponse(h.rt.loop.Now())
	}
	return n, err
}

// checkSent is checkLength after a Send that has left rest of its bytes.
func (h *Handle) checkSent(rest int, left int64, end bool) error {
	switch {
	case left == 0 && rest > 0:
		h.rt.Counters.LongBodies++
		h.lengthDiffers("the stream has more to give than was announced; it is not sent")
		return errLongBody
	case left > 0 && rest == 0 && end:
		h.checkLength(left, true)
		return errShortBody
	}
	return nil
}
