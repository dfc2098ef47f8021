package gen

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
)

// Fan is one publisher and Subs subscribers of a server that sends on what is published to every subscriber. A
// message of one octet is a subscription: it comes back when that has been made. A message of Size octets is
// published, the next one when every subscriber has it.
type Fan struct {
	Addr netip.AddrPort
	Subs int
	Size int // above 1
}

// Spread measures a fan. Result.Done counts messages delivered, each one checked as Echo does; Result.Latency is from
// a message's leaving the publisher until its last subscriber has it, which includes that one thread here reads them
// all. The caller has locked its thread.
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
		return Result{}, fmt.Errorf("gen: fan of %d, %d octets: %v: %d have not got message %d: %w", l.Subs, l.Size, l.Addr, f.left, f.now, err)
	}
	r.Latency = f.hist
	return r, nil
}

// fanner publishes, and times and checks what subscribers get.
type fanner struct {
	subs  int
	pub   *conn
	lines []utterance
	now   int // which message is under way: the subscription, then those of lines
	left  int // how many have not got it
	sent  time.Time
	buf   []byte
	hist  *stat.Histogram

	k    *conn // whose message is being taken apart
	done int   // messages that this completed
	each func(piece []byte, last bool) error
}

// newFanner opens the connections and subscribes. Then the first message is under way.
func newFanner(c *crowd, l Fan) (*fanner, error) {
	f := &fanner{subs: l.Subs, buf: make([]byte, l.Size+manyFrames), hist: new(stat.Histogram), lines: []utterance{utter(1, 0)}}
	for i := range script {
		f.lines = append(f.lines, utter(l.Size, uint32(i)))
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
			return nil, fmt.Errorf("%d subscriptions are not confirmed after %v", f.left, stall)
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

// line is the message that is under way.
func (f *fanner) line() *utterance {
	if f.now == 0 {
		return &f.lines[0]
	}
	return &f.lines[1+f.now%script]
}

// serve reads what came for one subscriber and returns how many messages that completed. After a message's last
// subscriber the next one is published.
func (f *fanner) serve(k *conn, _ uint32) (done int, err error) {
	n, err := receive(k, f.buf)
	if n == 0 || err != nil {
		return 0, err
	}
	if k == f.pub {
		return 0, fmt.Errorf("wrong message: %d octets to the publisher, who has not subscribed: %.100q", n, f.buf[:n])
	}
	f.k, f.done = k, 0
	if err := k.talk.hear(f.buf[:n], f.each); err != nil {
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
		return fmt.Errorf("wrong message: %d octets behind the end of the latest: %.100q", len(b), b)
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
