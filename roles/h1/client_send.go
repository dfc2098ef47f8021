package h1

import (
	"bytes"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
)

// expectsBody reports whether a request with this method and without a body has Content-Length: 0: the methods whose
// meaning expects a body (RFC 9110 s.8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

func (c *Client) sendHead(x *exchange, m *http.Message, end bool) error {
	switch {
	case x.out.begun() || c.state >= clientClosing:
		return errHeadTwice
	case !http.ValidName(m.Method) || string(m.Method) == "CONNECT":
		return errHeadMethod
	case !http.ValidAuthority(m.Authority):
		return errHeadHost
	case end && m.Length > 0:
		return errHeadEnd
	case !end && m.Length < 0 && m.Version == http.HTTP10:
		return errHead10
	case !http.ValidValue(m.Upgrade):
		return errHeadValue
	}
	path, query := m.Target, []byte(nil)
	if len(path) == 0 {
		path, query = m.Path, m.Query
		if len(path) == 0 {
			path = slash
		}
		if bytes.IndexByte(path, '?') >= 0 {
			return errHeadTarget
		}
	}
	if !http.ValidTarget(path) || len(query) > 0 && !http.ValidTarget(query) {
		return errHeadTarget
	}
	size, err := fieldsSize(m.Fields, http.Other)
	if err != nil {
		return err
	}
	size += headFixed + len(m.Method) + len(path) + len(query) + len(m.Authority) + len(m.Upgrade)
	if size > roles.MaxRoom {
		return errHeadSize
	}
	r := c.low.Room(size)
	if r == nil {
		return http.ErrNoRoom
	}

	b := append(r[:0], m.Method...)
	b = append(b, ' ')
	b = append(b, path...)
	if len(query) > 0 {
		b = append(b, '?')
		b = append(b, query...)
	}
	x.version = http.HTTP11
	if m.Version == http.HTTP10 {
		x.version = http.HTTP10
		b = append(b, " HTTP/1.0\r\nHost: "...)
	} else {
		b = append(b, " HTTP/1.1\r\nHost: "...)
	}
	b = append(b, m.Authority...)
	b = append(b, crlf...)
	x.out.left = m.Length
	next := sendCounted
	switch {
	case end || m.Length == 0:
		if expectsBody(m.Method) {
			b = appendLength(b, 0)
		}
		next = sent
	case m.Length > 0:
		b = appendLength(b, m.Length)
	default:
		next = sendChunked
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if m.Continue && next != sent && x.version == http.HTTP11 {
		b = append(b, "Expect: 100-continue\r\n"...)
		if c.due = c.sh.deadline(c.sh.cfg.Timeouts.Continue); c.due != 0 {
			next = await100
		}
	}
	x.moveSend(next)
	x.upgrade = m.Upgrade != nil
	x.close = m.Close || x.version == http.HTTP10
	x.headRequest = string(m.Method) == "HEAD"
	b = appendConnection(b, m.Close, false, m.Upgrade)
	b = appendFields(b, m.Fields)
	b = append(b, crlf...)
	c.low.Commit(len(b))
	c.sh.Counters.Requests++
	if c.served {
		c.sh.Counters.Reused++
	}
	return nil
}

// Upgrade replaces c by u, which receives the bytes after the 101. Call it from inside Head, for a 101 response to a
// request with Upgrade. Done follows with cause nil when the handler has returned; after that c must not be used, and its
// Owner receives no more calls.
func (c *Client) Upgrade(x http.Exchange, u roles.Upper) error {
	e, ok := x.(*exchange)
	if !ok || e != c.x || !e.upgrade || c.state != expectResponse && c.state != expectResponseHead || c.sh.msg.Status != 101 {
		return errUpgrade
	}
	c.sh.Counters.Upgraded++
	c.move(clientGone)
	e.resumeLower()
	c.low.Replace(u)
	return nil
}
