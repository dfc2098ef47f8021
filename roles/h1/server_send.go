package h1

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

var errUnread = fmt.Errorf("h1: response is complete: %w", http.ErrUnread)

func (s *Server) sendHead(x *exchange, m *http.Message, end bool) error {
	switch {
	case x.out.begun() || s.state >= serverClosing:
		return errHeadTwice
	case m.Status < 100 || m.Status > 999:
		return errHeadStatus
	case m.Status == 101:
		return errHeadUp
	case m.Status < 200:
		return s.sendInterim(x, m)
	}
	empty := x.headRequest || http.Bodyless(m.Status)
	if end && !empty && m.Length > 0 {
		return errHeadEnd
	}
	k := responseKey{status: m.Status, length: m.Length, old: x.version == http.HTTP10}
	next := sendCounted
	switch {
	case empty:
		next = sendDropped
		// 204 must not have a length, and 304 need not (RFC 9110 s.8.6).
		if m.Status == 204 || m.Status == 304 && m.Length == 0 {
			k.length = -1
		}
	case end:
		k.length = 0
	case m.Length >= 0:
	case k.old:
		next = sendToClose
	default:
		next, k.chunked = sendChunked, true
	}
	k.close = x.close || next == sendToClose || m.Close || s.state == owe100 || s.peer == peerEnded && !s.pipelined ||
		end && s.state != awaitAnswer && x.in.framing == bodyLength && x.in.left > s.sh.cfg.Limits.Drain
	head, err := s.sh.head(k, m)
	if err != nil {
		return err
	}
	r := s.low.Room(len(head))
	if r == nil {
		return http.ErrNoRoom
	}
	s.low.Commit(copy(r, head))
	s.committed(x)
	s.sh.Counters.Responses++
	x.close = k.close
	x.out.left = k.length
	if end || next == sendCounted && k.length == 0 {
		next = sent
	}
	x.moveSend(next)
	return nil
}

// sendInterim sends a 1xx head, except to a client of HTTP/1.0, which does not know them (RFC 9110 s.15.2).
func (s *Server) sendInterim(x *exchange, m *http.Message) error {
	size, err := fieldsSize(m.Fields, http.Date)
	if err != nil {
		return err
	}
	if !http.ValidValue(m.Upgrade) {
		return errHeadValue
	}
	if x.version == http.HTTP10 {
		return nil
	}
	if size += headFixed; size > roles.MaxRoom {
		return errHeadSize
	}
	r := s.low.Room(size)
	if r == nil {
		return http.ErrNoRoom
	}
	b := appendStatus(r[:0], m.Status)
	b = appendFields(b, m.Fields)
	b = append(b, crlf...)
	s.low.Commit(len(b))
	s.sh.Counters.Interim++
	if m.Status == 100 && s.state == owe100 {
		s.move(expectBody)
	}
	return nil
}

const continueHead = "HTTP/1.1 100 Continue\r\n\r\n"

func (s *Server) send100() {
	r := s.low.Room(len(continueHead))
	if r == nil {
		s.low.WantWrite()
		return
	}
	s.low.Commit(copy(r, continueHead))
	s.sh.Counters.Interim++
	s.move(expectBody)
}

// Upgrade answers the request of x with 101 (Switching Protocols) and replaces s by u, which receives the bytes after the
// request. Call it from inside Head or Writable, for a request without a body. m.Upgrade is the protocol, m.Fields are
// the fields that its handshake needs. Done follows with cause nil when the handler has returned; after that s must not be
// used. On an error nothing was sent and s goes on; after http.ErrNoRoom try again in Writable.
func (s *Server) Upgrade(x http.Exchange, m *http.Message, u roles.Upper) error {
	e, ok := x.(*exchange)
	if !ok || e != s.x || s.state != awaitAnswer || e.out.begun() || e.version == http.HTTP10 {
		return errUpgrade
	}
	size, err := fieldsSize(m.Fields, http.Date)
	if err != nil {
		return err
	}
	if len(m.Upgrade) == 0 || !http.ValidValue(m.Upgrade) {
		return errHeadValue
	}
	if size += headFixed + len(m.Upgrade); size > roles.MaxRoom {
		return errHeadSize
	}
	r := s.low.Room(size)
	if r == nil {
		return http.ErrNoRoom
	}
	b := appendStatus(r[:0], 101)
	b = appendConnection(b, false, false, m.Upgrade)
	b = appendFields(b, m.Fields)
	b = append(b, crlf...)
	s.low.Commit(len(b))
	s.sh.Counters.Upgraded++
	s.move(serverGone)
	e.resumeLower()
	s.low.Replace(u)
	return nil
}

// refuse closes the connection because of a fault of the client. It answers with the status of f if no response has begun
// and there is room. It returns len(b), so that the rest of the input is dropped.
func (s *Server) refuse(f *fault, b []byte) int {
	sh := s.sh
	if errors.Is(f, http.ErrTimeout) {
		sh.Counters.Timeouts++
	} else {
		sh.Counters.Malformed++
	}
	mode := roles.Graceful
	x := s.x
	switch {
	case x != nil && x.out.begun():
		// A reset, so that the client does not accept the incomplete response.
		if !x.out.done() {
			mode = roles.Reset
		}
	case f.Status != 0:
		sh.countRefused(f.Status)
		s.sendRefusal(f)
	}
	s.close(mode, f)
	return len(b)
}

func (s *Server) sendRefusal(f *fault) {
	const text = "Content-Type: text/plain\r\n"
	reason := http.Reason(f.Status)
	n := len("400 : : \n") + len(reason) + len(f.Where) + len(f.Reason)
	r := s.low.Room(headFixed + http.DateLen + len(s.sh.cfg.ServerName) + len(text) + n)
	if r == nil {
		return
	}
	var date []byte
	if s.sh.cfg.Date != nil {
		date = s.sh.cfg.Date()
	}
	b := s.sh.appendOwn(appendStatus(r[:0], f.Status), date)
	b = append(b, text...)
	b = appendLength(b, int64(n))
	b = appendConnection(b, true, false, nil)
	b = append(b, crlf...)
	if s.x == nil || !s.x.headRequest {
		b = strconv.AppendInt(b, int64(f.Status), 10)
		for _, t := range [...]string{" ", reason, ": ", f.Where, ": ", f.Reason, "\n"} {
			b = append(b, t...)
		}
	}
	s.low.Commit(len(b))
}
