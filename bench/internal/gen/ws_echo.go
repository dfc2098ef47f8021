package gen

import (
	"bytes"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Chat is Conns WebSocket connections that each send a binary message of Size octets and wait for it to come back
// before they send the next.
type Chat struct {
	Addr  netip.AddrPort
	Conns int
	Size  int
	TLS   bool // over TLS 1.3; then Size is at most what a record carries with the frame's header
}

// script is how many different messages a Chat has: an echo of an earlier one is found out.
const script = 8

// Echo measures an echo of WebSocket messages. Of every echo the length is checked, and the content: of long
// messages one stretch in each KiB, at another place every time. It may come in any number of frames. The caller
// has locked its thread.
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

// wsPinger makes short messages to an echo that sends each back in one frame.
func wsPinger() *pinger {
	const size = 64
	u := utter(size, 0)
	return newPinger(u.frame, []byte{wsFin | wsBinary, size}, u.payload, 2+size)
}

// talk is what one connection has been told.
type talk struct {
	hearing
	line int  // which message of the script is under way, and where it is looked at
	got  int  // octets of it
	done bool // the echo is complete
}

// chatter sends, times and checks messages.
type chatter struct {
	asker
	lines []utterance
	k     *conn // whose echo is being taken apart
	each  func(piece []byte, last bool) error
}

// manyFrames is room for the headers of an echo in frames.
const manyFrames = 1024

func newChatter(size int) *chatter {
	p := &chatter{asker: newAsker(size + manyFrames)}
	for i := range script {
		p.lines = append(p.lines, utter(size, uint32(i)))
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

// serve reads what came and returns 1 when the echo is complete, and has sent the next message.
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
	if err := k.talk.hear(b, p.each); err != nil {
		return false, fmt.Errorf("read echo: %w", err)
	}
	return k.talk.done, nil
}

// Of each KiB of a long piece a look is compared.
const (
	lookEvery = 1 << 10
	look      = 64
)

// check compares a piece of an echo.
func (p *chatter) check(b []byte, last bool) error {
	t := p.k.talk
	if t.done {
		return fmt.Errorf("wrong echo: %d octets behind its end: %.100q", len(b), b)
	}
	t.done = last
	return t.compare(p.lines[t.line%script].payload, b, last)
}

// compare holds a piece of a message against what it should be, and counts it.
func (t *talk) compare(message, b []byte, last bool) error {
	want := message[t.got:]
	if t.got += len(b); len(b) > len(want) || last && len(b) < len(want) {
		return fmt.Errorf("wrong message: %d octets, and last is %t; want %d", t.got, last, len(message))
	}
	at, size := 0, len(b)
	if len(b) > lookEvery {
		at, size = t.line*look%lookEvery, look
	}
	for ; at < len(b); at += lookEvery {
		end := min(at+size, len(b))
		if !bytes.Equal(b[at:end], want[at:end]) {
			return fmt.Errorf("wrong message: octets from %d on are not those that were sent", t.got-len(b)+at)
		}
	}
	return nil
}
