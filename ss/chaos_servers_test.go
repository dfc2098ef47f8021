package ss_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/ss"
)

// echoer is the raw server's side: it checks every byte, and sends it back.
type echoer struct {
	c    *chaos
	seen []byte
	out  []byte
	dead bool
}

func (e *echoer) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if e.dead {
		e.c.t.Errorf("raw server: told %v after DESTROYING", s)
	}
	switch s {
	case ss.Disconnected:
		if n.Cause == nil && !e.c.ending && len(e.seen) > 0 {
			e.whole()
		}
	case ss.Destroying:
		e.dead = true
	}
	return ss.OK
}

// whole checks, after an orderly end, that the peer's message is complete, unless the peer stopped during it on
// purpose.
func (e *echoer) whole() {
	for b := e.seen; len(b) > 0; {
		if len(b) < 8 {
			e.cut(b)
			return
		}
		name, size := binary.BigEndian.Uint32(b), int(binary.BigEndian.Uint32(b[4:]))
		if len(b) < 8+size {
			e.cut(b)
			return
		}
		if !bytes.Equal(b[8:8+size], payload(name, size)) {
			e.c.t.Errorf("raw server: message %d differs from what was sent", name)
		}
		b = b[8+size:]
	}
}

func (e *echoer) cut(b []byte) {
	if e.c.gentle {
		e.c.t.Errorf("raw server: an orderly end after %d bytes of a message that is not whole", len(b))
	}
}

func (e *echoer) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	e.seen = append(e.seen, b...)
	e.out = append(e.out, b...)
	if len(e.seen) >= 8 {
		name, size := binary.BigEndian.Uint32(e.seen), int(binary.BigEndian.Uint32(e.seen[4:]))
		if want, known := e.c.sizes[name]; !known || want != size {
			e.c.t.Errorf("raw server: got message %d of %d bytes, want %d", name, size, want)
			return ss.DestroyMe
		}
		if n := min(len(e.seen)-8, size); !bytes.HasPrefix(payload(name, size), e.seen[8:8+n]) {
			e.c.t.Errorf("raw server: %d bytes of message %d are no prefix of it", n, name)
			return ss.DestroyMe
		}
	}
	return h.RequestTx()
}

func (e *echoer) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	n := copy(buf, e.out)
	if e.out = e.out[n:]; len(e.out) > 0 {
		h.RequestTx()
	}
	return n, 0, ss.OK
}

// servant is the HTTP server's side.
type servant struct {
	c    *chaos
	name uint32
	post bool
	in   []byte
	out  []byte
	dead bool
}

func (v *servant) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if v.dead {
		v.c.t.Errorf("http server: told %v after DESTROYING", s)
	}
	switch s {
	case ss.ServerTxn:
		path, _ := h.Metadata("path")
		method, _ := h.Metadata("method")
		n, err := strconv.Atoi(strings.TrimPrefix(string(path), "/"))
		if err != nil {
			v.c.t.Errorf("http server: path: got %q, want a number", path)
		}
		v.name, v.post, v.in = uint32(n), string(method) == "POST", nil
		if !v.post {
			v.out = payload(v.name, v.c.sizes[v.name])
			return v.answer(h)
		}
	case ss.Destroying:
		v.dead = true
	}
	return ss.OK
}

func (v *servant) answer(h *ss.Handle) ss.Ret {
	h.ServerAck(0)
	if !v.c.gentle && v.c.r.IntN(10) == 0 {
		h.ServerAck([]int{404, 500, 503, 302}[v.c.r.IntN(4)])
	}
	h.SetMetadataString("mime", "application/octet-stream")
	if v.c.r.IntN(2) == 0 {
		return h.RequestTxLen(int64(len(v.out)))
	}
	return h.RequestTx()
}

func (v *servant) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	v.in = append(v.in, b...)
	if f&ss.EOM == 0 {
		return ss.OK
	}
	if want := payload(v.name, v.c.sizes[v.name]); !bytes.Equal(v.in, want) {
		v.c.t.Errorf("http server: body of %d: got %d bytes, want %d", v.name, len(v.in), len(want))
	}
	v.c.arrived[v.name] = v.in
	v.out = fmt.Appendf(nil, "got %d", len(v.in))
	return v.answer(h)
}

func (v *servant) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	n := min(copy(buf, v.out), 1+v.c.r.IntN(20000))
	if v.out = v.out[n:]; len(v.out) > 0 {
		h.RequestTx()
		return n, 0, ss.OK
	}
	return n, ss.EOM, ss.OK
}
