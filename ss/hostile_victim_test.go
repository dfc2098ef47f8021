package ss_test

import (
	"time"

	"github.com/millrace/millrace/ss"
)

// victim is a client stream that meets hostile servers, and does everything that a program may do.
type victim struct {
	c     *hostile
	tries int
	wire  *hostileScript // of a stream that is the hostile end itself, over TLS
}

func (v *victim) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	r := v.c.r
	switch s {
	case ss.Connecting:
		if h.Policy().Timeout > 0 {
			h.StartTimeout(0)
		}
	case ss.Timeout:
		return ss.DisconnectMe
	case ss.Connected, ss.ServerTxn:
		switch r.IntN(6) {
		case 0:
			v.pause(h)
		case 1:
			return ss.DisconnectMe
		default:
			return h.RequestTx()
		}
	case ss.Disconnected, ss.AllRetriesFailed:
		if v.tries++; v.tries < 4 && h.Server() == nil {
			return h.RequestTx()
		}
	}
	return ss.OK
}

func (v *victim) pause(h *ss.Handle) {
	h.Pause()
	v.c.Net.At(time.Duration(v.c.r.IntN(3000))*time.Millisecond, h.Resume)
}

func (v *victim) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if v.wire != nil {
		v.wire.hear(b)
		return h.RequestTx()
	}
	switch v.c.r.IntN(60) {
	case 0:
		v.pause(h)
	case 1:
		return ss.DisconnectMe
	case 2:
		return ss.DestroyMe
	case 3:
		return h.RequestTx()
	}
	return ss.OK
}

func (v *victim) Tx(h *ss.Handle, ordinal uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if v.wire != nil {
		b := v.wire.unit
		if v.c.r.IntN(4) == 0 {
			b = v.wire.bad
		}
		if v.c.r.IntN(10) > 0 {
			v.c.Net.At(time.Duration(v.c.r.IntN(100))*time.Millisecond, func() { h.RequestTx() })
		}
		return copy(buf, b()), 0, ss.OK
	}
	f := ss.Flags(0)
	if ordinal == 0 || h.Policy().Protocol.String() == "ws" {
		f = ss.SOM
	}
	n := v.c.r.IntN(min(len(buf), 5000))
	if v.c.r.IntN(3) > 0 || h.Policy().Protocol.String() == "ws" {
		return n, f | ss.EOM, ss.OK
	}
	h.RequestTx()
	return n, f, ss.OK
}
