package sstest

import (
	"bytes"
	"strings"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// This file has what a script of an accepted stream can be: peers that a program meets. Each is given to World.Serve.

// Answer makes an accepted HTTP stream answer every request with a status and a body, whose length it announces.
func Answer(code int, body string) func(*Script) {
	return func(s *Script) {
		s.Say = []byte(body)
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			h.ServerAck(code)
			return h.RequestTxLen(int64(len(body)))
		})
	}
}

// Speak makes an accepted raw stream send text each time that the payload received since contains until; with hangUp it
// disconnects afterwards. It can be a server of any protocol, and one that breaks the rules.
func Speak(until, text string, hangUp bool) func(*Script) {
	return func(s *Script) {
		s.NoEOM = true
		s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			if strings.Contains(string(s.Got), until) {
				s.Got = s.Got[:0]
				s.Said, s.Say = 0, []byte(text)
				return h.RequestTx()
			}
			return ss.OK
		}
		s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
			n, f, r := s.Give(h, buf)
			if hangUp && s.Said == len(s.Say) {
				h.Disconnect()
			}
			return n, f, r
		}
	}
}

// Lines makes an accepted raw stream answer each line that it receives, without its line end, with what reply returns,
// which needs a line end of its own; "" is no answer.
func Lines(reply func(line string) string) func(*Script) {
	return func(s *Script) {
		q := queue{s: s}
		var in []byte
		s.OnTx = q.tx
		s.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
			in = append(in, b...)
			for {
				line, rest, ok := bytes.Cut(in, []byte("\n"))
				if !ok {
					return ss.OK
				}
				if text := reply(strings.TrimSuffix(string(line), "\r")); text != "" {
					q.add(h, []byte(text), 0)
				}
				in = rest
			}
		}
	}
}

// Echo makes an accepted stream send back what it receives: whole messages on WebSockets, bytes as they come on raw
// streams, which it disconnects after the peer has ended its direction.
func Echo(s *Script) {
	q := queue{s: s}
	s.Stays = true
	s.OnTx = q.tx
	s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
		if h.Policy().Protocol == policy.Raw {
			if f == ss.EOM && len(b) == 0 {
				q.last = true
				return q.done()
			}
			f = 0
		}
		q.add(h, b, f)
		return ss.OK
	}
}

// queue is payload to send, with the flags of each piece.
type queue struct {
	s      *Script
	pieces []piece
	last   bool // disconnect when all is sent
}

type piece struct {
	b []byte
	f ss.Flags
}

func (q *queue) add(h *ss.Handle, b []byte, f ss.Flags) {
	q.pieces = append(q.pieces, piece{bytes.Clone(b), f})
	h.RequestTx()
}

func (q *queue) done() ss.Ret {
	if q.last && len(q.pieces) == 0 {
		return ss.DisconnectMe
	}
	return ss.OK
}

// tx is Script.OnTx.
func (q *queue) tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if len(q.pieces) == 0 {
		return 0, 0, ss.TxDontSend
	}
	p := &q.pieces[0]
	n := copy(buf, p.b)
	f := p.f
	if n < len(p.b) {
		p.b, p.f = p.b[n:], p.f&^ss.SOM
		f &^= ss.EOM
	} else {
		q.pieces = q.pieces[1:]
	}
	switch {
	case len(q.pieces) > 0:
		h.RequestTx()
	case q.last:
		h.Disconnect()
	}
	return n, f, ss.OK
}
