package main

import "github.com/millrace/millrace/ss"

// fan sends what one of its WebSockets publishes to all subscribers. It keeps one copy of a message until the last
// member has sent it.
type fan struct {
	members  []*member
	editions []edition // that some member has not sent
	first    int       // the number of the first of them
	spare    []byte    // memory of an edition that all have sent
}

// edition is a message, and the number of members that have not sent it.
type edition struct {
	text []byte
	due  int
}

// join creates an accepted stream.
func (f *fan) join(*ss.Handle) ss.Stream { return &member{all: f} }

// publish queues a message for all members.
func (f *fan) publish(text []byte) {
	if len(f.members) == 0 {
		return
	}
	f.editions = append(f.editions, edition{append(f.spare[:0], text...), len(f.members)})
	f.spare = nil
	for _, m := range f.members {
		m.h.RequestTx()
	}
}

// done records that a member has sent an edition.
func (f *fan) done(number int) {
	f.editions[number-f.first].due--
	for len(f.editions) > 0 && f.editions[0].due == 0 {
		f.spare = f.editions[0].text
		f.editions = f.editions[:copy(f.editions, f.editions[1:])]
		f.first++
	}
}

// member is one WebSocket.
type member struct {
	all  *fan
	h    *ss.Handle
	seat int    // index among the members, from 1; 0 before it has subscribed
	next int    // the number of the edition that it sends next
	off  int    // bytes of that edition already sent
	in   []byte // an incomplete message
	// greeting confirms the subscription; it is sent before any edition.
	greeting []byte
}

func (m *member) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	f := m.all
	if s == ss.Disconnected && m.seat > 0 {
		last := len(f.members) - 1
		f.members[m.seat-1] = f.members[last]
		f.members[m.seat-1].seat = m.seat
		f.members[last], f.members = nil, f.members[:last]
		m.seat = 0
		for end := f.first + len(f.editions); m.next < end; m.next++ {
			f.done(m.next)
		}
	}
	return ss.OK
}

func (m *member) Rx(h *ss.Handle, b []byte, g ss.Flags) ss.Ret {
	if g&ss.EOM == 0 || len(m.in) > 0 {
		if m.in = append(m.in, b...); g&ss.EOM == 0 {
			return ss.OK
		}
		b, m.in = m.in, nil
	}
	f := m.all
	if len(b) > 1 {
		f.publish(b)
		return ss.OK
	}
	if m.seat == 0 {
		f.members = append(f.members, m)
		m.h, m.seat, m.next = h, len(f.members), f.first+len(f.editions)
	}
	m.greeting = append(m.greeting[:0], b...)
	return h.RequestTx()
}

func (m *member) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	f := m.all
	end := f.first + len(f.editions)
	if m.greeting != nil {
		n := copy(buf, m.greeting)
		m.greeting = nil
		if m.next < end {
			h.RequestTx()
		}
		return n, ss.SOM | ss.EOM | ss.Binary, ss.OK
	}
	if m.seat == 0 || m.next >= end {
		return 0, 0, ss.TxDontSend
	}
	text := f.editions[m.next-f.first].text
	g := ss.Binary
	if m.off == 0 {
		g |= ss.SOM
	}
	n := copy(buf, text[m.off:])
	if m.off += n; m.off == len(text) {
		g |= ss.EOM
		m.off = 0
		m.next++
		f.done(m.next - 1)
	}
	if m.next < end {
		h.RequestTx()
	}
	return n, g, ss.OK
}
