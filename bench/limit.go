package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/gen"
	"github.com/millrace/millrace/bench/internal/sys"
)

// limit is the minimum cost of a server in Go: an epoll loop on one locked thread that answers without parsing.
// Of HTTP it knows only the length of a request; of WebSocket, what an echo needs (see listen). One read and one write
// per readiness, all responses to one read in one write, one epoll_wait without timeout per turn; it blocks only
// when that found nothing. It counts its own system calls to prove this.
type limit struct {
	poll    *sys.Poller
	ln      int
	wake    int // eventfd: another thread wants the counts
	wanted  chan map[string]uint64
	kind    string
	buf     []byte
	answers []byte // as many responses as requests fit into buf
	size    int    // of one response
	date    int64  // the second of the Date in answers
	conns   []limitConn
	members []int // fan: descriptors of the subscribers
	count   limitCount
}

// limitConn is the limit's state of a connection.
type limitConn struct {
	part int    // h1: bytes of an incomplete request
	rest []byte // raw: bytes that the socket refused, its memory is reused; ws: the start of a frame
	off  int    // raw: bytes of rest that were sent since
	sent int    // bulk: 1 + the bytes of the response that were sent; 0 without an open request
	open bool   // ws: the handshake is done
	seat int    // fan: index among the members, from 1; 0 if it is not subscribed
}

// limitCount counts events and system calls.
type limitCount struct{ turns, looks, sleeps, reads, writes, accepts, requests, bytes uint64 }

// limitBulkWrite is the size limit of one write of the bulk: the same as in Millrace's Send.
const limitBulkWrite = 256 << 10

// The receive buffer for each kind: the request buffer size of other servers, and the size of wsi's scratch buffer
// for bytes.
const (
	limitH1Buffer  = 16 << 10
	limitRawBuffer = 64 << 10
)

const limitBulkHead = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nDate: %s\r\n\r\n"

const limitHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\nDate: "

func runLimit(e *peerEnv) error {
	runtime.LockOSThread()
	l := &limit{kind: e.kind, wanted: make(chan map[string]uint64)}
	switch e.kind {
	case kindH1:
		l.buf = make([]byte, limitH1Buffer)
		one := limitHead + date(time.Now()) + "\r\n\r\n" + gen.Body
		l.size = len(one)
		l.answers = bytes.Repeat([]byte(one), limitH1Buffer/len(gen.Request)+1)
	case kindBulkH1:
		l.buf = make([]byte, limitH1Buffer)
		l.answers = append(fmt.Appendf(nil, limitBulkHead, gen.BulkSize, date(time.Now())), gen.BulkBody()...)
	case kindRaw, kindWS, kindFan:
		l.buf = make([]byte, limitRawBuffer)
	default:
		return fmt.Errorf("bench: limit: unknown kind %q", e.kind)
	}
	ln, addr, err := sys.Listen()
	if err != nil {
		return err
	}
	l.ln = ln
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("bench: limit: eventfd: %w", err)
	}
	if l.poll, err = sys.NewPoller(); err != nil {
		return err
	}
	for _, fd := range []int{l.ln, l.wake} {
		if err := l.poll.Add(fd, unix.EPOLLIN); err != nil {
			return err
		}
	}
	e.calls = l.calls
	e.report(addr.String())
	for {
		if err := l.turn(); err != nil {
			return fmt.Errorf("bench: limit: %w", err)
		}
	}
}

// calls requests the counts from the loop's thread.
func (l *limit) calls() map[string]uint64 {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	if _, err := unix.Write(l.wake, one[:]); err != nil {
		return nil
	}
	return <-l.wanted
}

// turn handles all ready descriptors.
func (l *limit) turn() error {
	evs, err := l.poll.Look()
	l.count.looks++
	if err == nil && len(evs) == 0 {
		evs, err = l.poll.Wait(-1)
		l.count.sleeps++
	}
	if err != nil {
		return err
	}
	l.count.turns++
	if l.kind == kindH1 {
		l.redate(time.Now())
	}
	for i := range evs {
		switch fd := int(evs[i].Fd); {
		case fd == l.ln:
			err = l.accept()
		case fd == l.wake:
			err = l.tell()
		case l.kind == kindH1:
			err = l.answer(fd)
		case l.kind == kindBulkH1:
			l.bulk(fd)
		case l.kind == kindWS || l.kind == kindFan:
			err = l.listen(fd)
		default:
			l.echo(fd, evs[i].Events)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// accept accepts all pending connections.
func (l *limit) accept() error {
	for {
		fd, errno := sys.Accept(l.ln)
		l.count.accepts++
		if errno == unix.EAGAIN || errno == unix.ECONNABORTED {
			return nil
		}
		if errno != 0 {
			return fmt.Errorf("accept: %w", errno)
		}
		for len(l.conns) <= fd {
			l.conns = append(l.conns, limitConn{})
		}
		l.conns[fd] = limitConn{}
		events := uint32(unix.EPOLLIN)
		if l.kind == kindRaw || l.kind == kindBulkH1 {
			events |= unix.EPOLLOUT
		}
		if err := l.poll.Add(fd, events); err != nil {
			return err
		}
	}
}

// answer reads once and sends one response for every request that this completes.
func (l *limit) answer(fd int) error {
	for {
		n, errno := sys.Read(fd, l.buf)
		l.count.reads++
		if errno == unix.EAGAIN {
			return nil
		}
		if n == 0 {
			unix.Close(fd)
			return nil
		}
		c := &l.conns[fd]
		c.part += n
		requests := c.part / len(gen.Request)
		c.part %= len(gen.Request)
		if requests > 0 {
			l.count.requests += uint64(requests)
			sent, errno := sys.Write(fd, l.answers[:requests*l.size])
			l.count.writes++
			if errno == unix.EPIPE || errno == unix.ECONNRESET {
				unix.Close(fd)
				return nil
			}
			// The generator reads every response before its next request, so the socket has room.
			if errno != 0 || sent != requests*l.size {
				return fmt.Errorf("send %d answers: sent %d bytes: %w", requests, sent, errno)
			}
		}
		if n < len(l.buf) {
			return nil
		}
	}
}

// bulk sends the bulk for every request, in writes as large as the socket accepts, but at most limitBulkWrite bytes each.
func (l *limit) bulk(fd int) {
	c := &l.conns[fd]
	for {
		for c.sent > 0 {
			n, errno := sys.Write(fd, l.answers[c.sent-1:min(len(l.answers), c.sent-1+limitBulkWrite)])
			l.count.writes++
			c.sent += n
			if l.ended(fd, errno) || n == 0 {
				return
			}
			if c.sent > len(l.answers) {
				c.sent = 0
			}
		}
		n, errno := sys.Read(fd, l.buf)
		l.count.reads++
		if n == 0 {
			if errno == 0 {
				errno = unix.EPIPE
			}
			l.ended(fd, errno)
			return
		}
		if c.part += n; c.part >= len(gen.BulkRequest) {
			c.part -= len(gen.BulkRequest)
			c.sent = 1
			l.count.requests++
		}
	}
}

// echo sends back what it reads, and keeps what the socket refuses: it reads again only after that was
// sent.
func (l *limit) echo(fd int, events uint32) {
	c := &l.conns[fd]
	if events&^unix.EPOLLOUT == 0 && len(c.rest) == 0 {
		return
	}
	for {
		if c.off < len(c.rest) {
			n, errno := sys.Write(fd, c.rest[c.off:])
			l.count.writes++
			c.off += n
			if l.ended(fd, errno) || c.off < len(c.rest) {
				return
			}
			c.rest, c.off = c.rest[:0], 0
		}
		n, errno := sys.Read(fd, l.buf)
		l.count.reads++
		if n == 0 {
			if errno == 0 {
				errno = unix.EPIPE
			}
			l.ended(fd, errno)
			return
		}
		l.count.bytes += uint64(n)
		sent, errno := sys.Write(fd, l.buf[:n])
		l.count.writes++
		if l.ended(fd, errno) {
			return
		}
		if sent < n {
			c.rest = append(c.rest[:0], l.buf[sent:n]...)
			return
		}
		if n < len(l.buf) {
			return
		}
	}
}

// ended closes a connection that has failed.
func (l *limit) ended(fd int, errno unix.Errno) bool {
	if errno == 0 || errno == unix.EAGAIN {
		return false
	}
	l.conns[fd] = limitConn{}
	unix.Close(fd)
	return true
}

// tell sends the counts to calls.
func (l *limit) tell() error {
	var b [8]byte
	if _, errno := sys.Read(l.wake, b[:]); errno != 0 {
		return fmt.Errorf("read eventfd: %w", errno)
	}
	l.wanted <- map[string]uint64{
		"turns": l.count.turns, "looks": l.count.looks, "sleeps": l.count.sleeps, "reads": l.count.reads,
		"writes": l.count.writes, "accepts": l.count.accepts, "requests": l.count.requests,
		"bytes": l.count.bytes,
	}
	return nil
}

// redate updates the date in every prepared response once per second.
func (l *limit) redate(now time.Time) {
	if now.Unix() == l.date {
		return
	}
	l.date = now.Unix()
	d := date(now)
	for at := len(limitHead); at < len(l.answers); at += l.size {
		copy(l.answers[at:], d)
	}
}

// date formats a Date field (RFC 9110 s.5.6.7): always 29 bytes.
func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }
