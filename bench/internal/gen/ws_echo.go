package gen

import (
	"bytes"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Chat is Conns WebSocket connections that each send a binary message of Size octets and wait for its echo
// before they send the next.
type Chat struct {
	Addr  netip.AddrPort
	Conns int
	Size  int
	TLS   bool // over TLS 1.3; then the frame must fit into one record
}

// script is the number of different messages of a Chat, so that an echo of an earlier one is detected.
const script = 8

// Echo measures an echo of WebSocket messages. It checks the length of every echo, and the content: of long
// messages one part of each KiB, at another position every time. An echo may have any number of frames. The caller
// must have locked its thread.
func Echo(l Chat, w Window) (Result, error) {
	c, err := open(l.Addr, 0, 0, false)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	p := newChatter(l.Size)
	for i := range l.Conns {
		k, err := c.dialWS(l.Addr, unix.EPOLLIN, l.TLS)
		if err != nil {
			return Result{}, err
		}
		k.talk = &talk{line: i}
		if err := p.say(k); err != nil {
			return Result{}, err
		}
	}
	r, err := run(c, w, p)
	if err != nil {
		return Result{}, fmt.Errorf("gen: %d WebSockets, %d octets: %v: %w", l.Conns, l.Size, l.Addr, err)
	}
	r.Latency = p.hist
	return r, nil
}

// wsPinger sends short messages to an echo that returns each in one frame.
func wsPinger() *pinger {
	const size = 64
	u := newMessage(size, 0)
	return newPinger(u.frame, []byte{wsFin | wsBinary, size}, u.payload, 2+size)
}

// talk is the state of one connection.
type talk struct {
	frameParser
	line int  // index of the message in flight; selects the compared parts
	got  int  // received octets of its echo
	done bool // the echo is complete
}

// chatter sends, measures and checks messages.
type chatter struct {
	asker
	lines []wsMessage
	k     *conn // the connection whose echo is parsed
	each  func(piece []byte, last bool) error
}

// manyFrames is room for the headers of an echo in several frames.
const manyFrames = 1024

func newChatter(size int) *chatter {
	p := &chatter{asker: newAsker(size + manyFrames)}
	for i := range script {
		p.lines = append(p.lines, newMessage(size, uint32(i)))
	}
	p.each = p.check
	return p
}

// say sends a connection's next message.
func (p *chatter) say(k *conn) error {
	t := k.talk
	t.line++
	t.got, t.done = 0, false
	return p.send(k, p.lines[t.line%script].frame)
}

// serve reads available data. It returns 1 when the echo is complete, after it has sent the next message.
func (p *chatter) serve(k *conn, _ uint32) (done int, err error) {
	full, err := p.collect(k, p)
	if err != nil || !full {
		return 0, err
	}
	p.answered(k)
	return 1, p.say(k)
}

// take implements taker.
func (p *chatter) take(k *conn, b []byte) (full bool, err error) {
	p.k = k
	if err := k.talk.parse(b, p.each); err != nil {
		return false, fmt.Errorf("read echo: %w", err)
	}
	return k.talk.done, nil
}

// The part of each KiB of a long piece that is compared.
const (
	lookEvery = 1 << 10
	look      = 64
)

// check compares a piece of an echo.
func (p *chatter) check(b []byte, last bool) error {
	t := p.k.talk
	if t.done {
		return fmt.Errorf("wrong echo: %d octets after its end: %.100q", len(b), b)
	}
	t.done = last
	return t.compare(p.lines[t.line%script].payload, b, last)
}

// compare compares a piece of a message with the expected one, and counts it.
func (t *talk) compare(message, b []byte, last bool) error {
	want := message[t.got:]
	if t.got += len(b); len(b) > len(want) || last && len(b) < len(want) {
		return fmt.Errorf("wrong message: got %d octets, last %t; want %d", t.got, last, len(message))
	}
	at, size := 0, len(b)
	if len(b) > lookEvery {
		at, size = t.line*look%lookEvery, look
	}
	for ; at < len(b); at += lookEvery {
		end := min(at+size, len(b))
		if !bytes.Equal(b[at:end], want[at:end]) {
			return fmt.Errorf("wrong message: octets from %d on differ from the message sent", t.got-len(b)+at)
		}
	}
	return nil
}
