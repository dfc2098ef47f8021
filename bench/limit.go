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

// limit is the least that a server in Go can cost: an epoll loop on one locked thread that answers
// without parsing. It knows how long a request is and nothing else about HTTP; of WebSocket, what an echo
// cannot do without (see listen). One read and one write
// per readiness, all answers to one read in one write, one look at epoll per turn; it sleeps only
// when a look found nothing. It counts its own system calls, to prove that.
type limit struct {
	poll    *sys.Poller
	ln      int
	wake    int // eventfd: somebody wants the counts
	wanted  chan map[string]uint64
	kind    string
	buf     []byte
	answers []byte // as many answers as requests fit into buf
	size    int    // of one answer
	date    int64  // the second that stands in answers
	conns   []limitConn
	members []int // fan: who has subscribed
	count   limitCount
}

// limitConn is what the limit keeps of a connection.
type limitConn struct {
	part int    // h1: bytes of a request that has not come in full
	rest []byte // raw: what the socket refused; its memory is kept for the next time. ws: a frame's beginning
	off  int    // raw: how much of rest has gone since
	sent int    // haul: how much of the answer has gone; the rest is owed if it is not 0
	open bool   // ws: it has shaken hands
	seat int    // fan: where it is among the members, from 1; 0 if it is not
}

// limitCount counts events and system calls.
type limitCount struct{ turns, looks, sleeps, reads, writes, accepts, requests, bytes uint64 }

// limitHaulWrite is the most that one write of the bulk has: as much as Millrace's Send takes.
const limitHaulWrite = 256 << 10

// The receive buffer in each service: as large as other servers have for requests, and as wsi's
// scratch for bytes.
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
	case kindHaul:
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

// calls asks the loop's thread for its counts.
func (l *limit) calls() map[string]uint64 {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	if _, err := unix.Write(l.wake, one[:]); err != nil {
		return nil
	}
	return <-l.wanted
}

// turn handles everything that is ready.
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
		case l.kind == kindHaul:
			l.haul(fd)
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

// accept takes all connections that wait.
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
		if l.kind == kindRaw || l.kind == kindHaul {
			events |= unix.EPOLLOUT
		}
		if err := l.poll.Add(fd, events); err != nil {
			return err
		}
	}
}

// answer reads once and sends one answer for every request that this completes.
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
			// The generator reads every answer before it asks again, so the socket has room for these.
			if errno != 0 || sent != requests*l.size {
				return fmt.Errorf("send %d answers: %d bytes taken: %w", requests, sent, errno)
			}
		}
		if n < len(l.buf) {
			return nil
		}
	}
}

// haul sends the bulk to who asks for it, in writes as large as the socket takes, but no more than limitHaulWrite at a time.
func (l *limit) haul(fd int) {
	c := &l.conns[fd]
	for {
		for c.sent > 0 {
			n, errno := sys.Write(fd, l.answers[c.sent-1:min(len(l.answers), c.sent-1+limitHaulWrite)])
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

// echo sends back what can be read, and keeps what the socket refuses: it reads on only when that is
// gone.
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

// tell hands the counts to calls.
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

// redate writes the time of day into every prepared answer when its second has passed.
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
