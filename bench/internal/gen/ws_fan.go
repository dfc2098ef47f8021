package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
)

// Fan is one publisher and Subs subscribers of a server that sends published messages to every subscriber. A
// message of one octet is a subscription: the server echoes it as a confirmation. A message of Size octets is
// published; the next one follows when every subscriber has received it.
type Fan struct {
	Addr netip.AddrPort
	Subs int
	Size int // above 1
}

// Spread measures a fan. Result.Done counts delivered messages, each checked as in Echo. Result.Latency is the time from
// the publisher's send until the last subscriber has the message, which includes that one thread here reads all of
// them. The caller must have locked its thread.
func Spread(l Fan, w Window) (Result, error) {
	c, err := open(l.Addr, 0, 0, false)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	f, err := newFanner(c, l)
	if err != nil {
		return Result{}, fmt.Errorf("gen: fan of %d: %v: %w", l.Subs, l.Addr, err)
	}
	r, err := run(c, w, f)
	if err != nil {
		return Result{}, fmt.Errorf("gen: fan of %d, %d octets: %v: %d subscribers lack message %d: %w", l.Subs, l.Size, l.Addr, f.left, f.now, err)
	}
	r.Latency = f.hist
	return r, nil
}

// fanner publishes, and measures and checks what subscribers receive.
type fanner struct {
	subs  int
	pub   *conn
	lines []wsMessage
	now   int // index of the message in flight: the subscription, then those of lines
	left  int // subscribers that have not received it
	sent  time.Time
	buf   []byte
	hist  *stat.Histogram

	k    *conn // the connection whose message is parsed
	done int   // messages that the current data completed
	each func(piece []byte, last bool) error
}

// newFanner opens the connections, subscribes, and publishes the first message.
func newFanner(c *connSet, l Fan) (*fanner, error) {
	f := &fanner{subs: l.Subs, buf: make([]byte, l.Size+manyFrames), hist: new(stat.Histogram), lines: []wsMessage{newMessage(1, 0)}}
	for i := range script {
		f.lines = append(f.lines, newMessage(l.Size, uint32(i)))
	}
	f.each = f.check
	f.left = l.Subs
	for range l.Subs {
		k, err := c.dialWS(l.Addr, unix.EPOLLIN, false)
		if err != nil {
			return nil, err
		}
		k.talk = &talk{line: -1}
		if err := sendAll(k, f.lines[0].frame); err != nil {
			return nil, err
		}
	}
	var err error
	if f.pub, err = c.dialWS(l.Addr, unix.EPOLLIN, false); err != nil {
		return nil, err
	}
	for quiet := time.Now(); f.now == 0; {
		evs, err := c.poll.Look()
		if err != nil {
			return nil, err
		}
		for i := range evs {
			if _, err := f.serve(c.by[evs[i].Fd], 0); err != nil {
				return nil, err
			}
			quiet = time.Now()
		}
		if time.Since(quiet) > stall {
			return nil, fmt.Errorf("%d subscriptions without confirmation after %v", f.left, stall)
		}
	}
	return f, nil
}

// publish sends the next message.
func (f *fanner) publish() error {
	f.now++
	f.left, f.sent = f.subs, time.Now()
	return sendAll(f.pub, f.line().frame)
}

// line returns the message in flight.
func (f *fanner) line() *wsMessage {
	if f.now == 0 {
		return &f.lines[0]
	}
	return &f.lines[1+f.now%script]
}

// serve reads available data of one subscriber and returns how many messages it completed. After the last
// subscriber of a message it publishes the next one.
func (f *fanner) serve(k *conn, _ uint32) (done int, err error) {
	n, err := receive(k, f.buf)
	if n == 0 || err != nil {
		return 0, err
	}
	if k == f.pub {
		return 0, fmt.Errorf("wrong message: %d octets to the publisher, which has not subscribed: %.100q", n, f.buf[:n])
	}
	f.k, f.done = k, 0
	if err := k.talk.parse(f.buf[:n], f.each); err != nil {
		return 0, fmt.Errorf("read message: %w", err)
	}
	if f.left -= f.done; f.left == 0 && f.done > 0 {
		if f.now > 0 {
			f.hist.Add(time.Since(f.sent))
		}
		err = f.publish()
	}
	return f.done, err
}

// check compares a piece of a message.
func (f *fanner) check(b []byte, last bool) error {
	t := f.k.talk
	if t.line == f.now {
		return fmt.Errorf("wrong message: %d octets after the end of the latest: %.100q", len(b), b)
	}
	if err := t.compare(f.line().payload, b, last); err != nil {
		return err
	}
	if last {
		t.line, t.got = f.now, 0
		f.done++
	}
	return nil
}

func (f *fanner) restart() { f.hist.Reset() }
