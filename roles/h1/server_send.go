package h1

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

var errUnread = fmt.Errorf("h1: response is complete: %w", http.ErrUnread)

// statusLines are the status lines of registered statuses.
var statusLines = func() (t [600]string) {
	for i := range t {
		if r := http.Reason(i); r != "" {
			t[i] = "HTTP/1.1 " + strconv.Itoa(i) + " " + r + crlf
		}
	}
	return t
}()

// appendStatus appends a status line. The SP stays when there is no phrase (RFC 9112 s.4).
func appendStatus(b []byte, status int) []byte {
	if status < len(statusLines) && statusLines[status] != "" {
		return append(b, statusLines[status]...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, " \r\n"...)
}

// headFixed is more than everything but fields, date, server name and upgrade takes in a head.
const headFixed = 160

func (s *Server) sendHead(x *exchange, m *http.Message, end bool) error {
	switch {
	case x.out.begun() || s.state >= expectClose:
		return errHeadTwice
	case m.Status < 100 || m.Status > 999:
		return errHeadStatus
	case m.Status == 101:
		return errHeadUp
	}
	size, err := fieldsSize(m.Fields, http.Date)
	if err != nil {
		return err
	}
	if !http.ValidValue(m.Upgrade) {
		return errHeadValue
	}
	if m.Status < 200 {
		return s.sendInterim(x, m, size)
	}
	empty := x.head || http.Bodyless(m.Status)
	if end && !empty && m.Length > 0 {
		return errHeadEnd
	}
	size += headFixed + http.DateLen + len(s.cfg.ServerName) + len(m.Upgrade)
	if size > roles.MaxRoom {
		return errHeadSize
	}
	r := s.low.Room(size)
	if r == nil {
		return http.ErrNoRoom
	}

	length := m.Length
	if end && !empty {
		length = 0
	}
	b := s.appendHead(r[:0], m.Status)
	kind := sendLength
	switch {
	case empty:
		kind = sendDropped
		// 204 must not have a length, and 304 need not (RFC 9110 s.8.6).
		if m.Status != 204 && (length > 0 || length == 0 && m.Status != 304) {
			b = appendLength(b, length)
		}
	case length >= 0:
		b = appendLength(b, length)
	case x.version == http.HTTP10:
		kind, x.close = sendClose, true
	default:
		kind = sendChunked
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if m.Close || x.owes100 || s.ended && !s.held ||
		end && !x.inDone && x.in.kind == bodyLength && x.in.left > s.cfg.Limits.Drain {
		x.close = true
	}
	b = appendConnection(b, x.close, x.version == http.HTTP10, m.Upgrade)
	b = appendFields(b, m.Fields)
	b = append(b, crlf...)
	s.low.Commit(len(b))
	s.cfg.Counters.Responses++
	x.out.kind, x.out.left = kind, length
	if end || kind == sendLength && length == 0 {
		x.out.kind = sendDone
	}
	return nil
}

// appendHead appends the status line and what every response of ours has. The last one is kept, since
// the next is the same until the clock has moved on.
func (s *Server) appendHead(b []byte, status int) []byte {
	c := s.cfg
	var date []byte
	if c.Date != nil {
		date = c.Date()
	}
	if status != c.started || string(date) != string(c.startDate) {
		c.started, c.startDate = status, append(c.startDate[:0], date...)
		h := appendStatus(c.start[:0], status)
		if len(date) > 0 {
			h = append(h, "Date: "...)
			h = append(h, date...)
			h = append(h, crlf...)
		}
		if c.ServerName != "" {
			h = append(h, "Server: "...)
			h = append(h, c.ServerName...)
			h = append(h, crlf...)
		}
		c.start = h
	}
	return append(b, c.start...)
}

func appendLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, crlf...)
}

// sendInterim sends a 1xx head; clients of 1.0 know none and get none (RFC 9110 s.15.2).
func (s *Server) sendInterim(x *exchange, m *http.Message, size int) error {
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
	s.cfg.Counters.Interim++
	if m.Status == 100 {
		x.owes100 = false
	}
	return nil
}

const continueHead = "HTTP/1.1 100 Continue\r\n\r\n"

func (s *Server) send100(x *exchange) {
	r := s.low.Room(len(continueHead))
	if r == nil {
		s.low.WantWrite()
		return
	}
	s.low.Commit(copy(r, continueHead))
	s.cfg.Counters.Interim++
	x.owes100 = false
}

// Upgrade answers the request of x with 101 (Switching Protocols) and puts u in our place: bytes that
// follow the request are offered to it. It is called from inside Head or Writable, for a request
// without a body. m.Upgrade names the protocol, m.Fields are the fields its handshake needs. Done
// follows, with cause nil, when the handler has returned; s is of no use after that. The error says
// why nothing was done; http.ErrNoRoom asks to try again in Writable.
func (s *Server) Upgrade(x http.Exchange, m *http.Message, u roles.Upper) error {
	e, ok := x.(*exchange)
	if !ok || e != s.x || s.state != expectAnswer || e.out.begun() || e.version == http.HTTP10 {
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
	s.cfg.Counters.Upgraded++
	s.state = expectNothing
	e.start()
	s.low.Replace(u)
	return nil
}

// refuse answers a fault with its status, if no answer has begun and the output takes one, and closes.
// It returns len(b), so that nothing more is looked at.
func (s *Server) refuse(f *fault, b []byte) int {
	c := s.cfg
	if errors.Is(f, http.ErrTimeout) {
		c.Counters.Timeouts++
	} else {
		c.Counters.Malformed++
	}
	mode := roles.Graceful
	x := s.x
	switch {
	case x != nil && x.out.begun():
		// The peer must not take what it has got of the response for the whole.
		if !x.out.done() {
			mode = roles.Reset
		}
	case f.Status != 0:
		c.countRefused(f.Status)
		s.sendRefusal(f)
	}
	s.shut(mode, f)
	return len(b)
}

func (s *Server) sendRefusal(f *fault) {
	const text = "Content-Type: text/plain\r\n"
	reason := http.Reason(f.Status)
	n := len("400 : : \n") + len(reason) + len(f.Where) + len(f.Reason)
	r := s.low.Room(headFixed + http.DateLen + len(s.cfg.ServerName) + len(text) + n)
	if r == nil {
		return
	}
	b := s.appendHead(r[:0], f.Status)
	b = append(b, text...)
	b = appendLength(b, int64(n))
	b = appendConnection(b, true, false, nil)
	b = append(b, crlf...)
	if s.x == nil || !s.x.head {
		b = strconv.AppendInt(b, int64(f.Status), 10)
		for _, t := range [...]string{" ", reason, ": ", f.Where, ": ", f.Reason, "\n"} {
			b = append(b, t...)
		}
	}
	s.low.Commit(len(b))
}
