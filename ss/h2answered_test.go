package ss_test

import (
	"testing"

	"github.com/millrace/millrace/ss"
)

// TestClientThatResetsEachAnsweredStream: a client of libwebsockets never ends a request without a body, and resets each
// stream with NO_ERROR when it has the response. It is served on one connection without limit,
// by the two streams that are needed when a reset and the next request arrive in one read.
func TestClientThatResetsEachAnsweredStream(t *testing.T) {
	const many = 1000
	w := newWorld(t, `{"s":[{"wire":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true}},
		{"srv":{"server":true,"port":80,"protocol":"h2"}}]}`, plan{})
	w.Serve("srv", func(s *script) {
		s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
			s.Said, s.Say = 0, []byte("hello")
			h.ServerAck(0)
			return h.RequestTxLen(5)
		})
	})
	client := newScript()
	out := frame([]byte(h2Magic), fSettings, 0, 0)
	next, resets, answered := uint32(1), 0, false
	ask := func() { out = frame(out, fHeaders, 4, next, 0x82, 0x86, 0x84, 0x41, 1, 'x') }
	ask()
	var in []byte
	client.OnRx = func(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
		client.Log = nil
		for in = append(in, b...); len(in) >= 9; {
			n := 9 + int(in[1])<<8 + int(in[2])
			if len(in) < n {
				break
			}
			typ, flags := in[3], in[4]
			in = in[n:]
			switch {
			case typ == fGoAway || typ == fReset:
				t.Errorf("after %d requests the server sent frame type %d, want none", resets, typ)
				return ss.DisconnectMe
			case typ == fData && flags&1 != 0 && resets < many:
				out = frame(out, fReset, 0, next, 0, 0, 0, 0)
				resets++
				next += 2
				if answered = resets == many; !answered {
					ask()
				}
			}
		}
		return h.RequestTx()
	}
	client.OnTx = func(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		n := copy(buf, out)
		out = out[n:]
		if n == 0 {
			return 0, 0, ss.TxDontSend
		}
		return n, 0, ss.OK
	}
	client.QuietTx = true
	client.When(ss.Connected, (*ss.Handle).RequestTx)
	w.Create("wire", client).Connect()
	w.Run("all requests", func() bool { return answered || client.Told(ss.Disconnected) > 0 })
	w.Settle()
	if !answered || len(w.Accepted) > 2 || w.Server.Runtime.Counters.Transactions != many {
		t.Errorf("answered %d requests, by %d streams, want %d by at most 2", w.Server.Runtime.Counters.Transactions, len(w.Accepted), many)
	}
}
