package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// millracePolicy and millraceSecure are the policies of the peer; the latter lacks certificate and key.
const (
	millracePolicy = `{"s": [
	{"h1":  {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"raw": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}},
	{"ws":  {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "ws"}}
]}`
	millraceSecure = `{"certs": [{"leaf": %q}, {"leaf_key": %q}], "s": [
	{"tls": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}],
		"tls": true, "server_cert": "leaf", "server_key": "leaf_key"}},
	{"h2": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", "metadata": [{"mime": "content-type:"}],
		"tls": true, "server_cert": "leaf", "server_key": "leaf_key"}},
	{"wss": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "ws", "tls": true, "server_cert": "leaf", "server_key": "leaf_key"}}
]}`
)

// millraceText returns the policy for a kind of service.
func millraceText(e *peerEnv) (string, error) {
	if !secure(e.kind) {
		return millracePolicy, nil
	}
	cert, err := loadBase64(e.cert, certFile)
	if err != nil {
		return "", err
	}
	key, err := loadBase64(e.cert, keyFile)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(millraceSecure, cert, key), nil
}

// runMillrace serves with a server stream. It reports the address when it accepts connections, and
// serves until the process exits.
func runMillrace(e *peerEnv) error {
	text, err := millraceText(e)
	if err != nil {
		return err
	}
	sys, err := loop.NewSystem()
	if err != nil {
		return err
	}
	p, err := policy.Parse([]byte(text))
	if err != nil {
		return err
	}
	l := loop.New(sys, loop.Config{Spin: e.spin})
	hour := h1.DefaultConfig()
	hour.Timeouts.Idle = time.Hour // as in nginx's configuration; the others keep idle connections without limit
	silent := ws.DefaultConfig()
	silent.Timeouts.Validity = ws.Validity{} // the other servers send no pings either
	rt, err := ss.New(ss.Config{Loop: l, Policy: p, H1: &hour, WS: &silent, TLS: tls.Config{Quiet: e.quiet}})
	if err != nil {
		return err
	}
	info := ss.Info{StreamType: "h1", New: func(*ss.Handle) ss.Stream { return answer{} }}
	switch e.kind {
	case kindRaw:
		info = ss.Info{StreamType: "raw", New: func(*ss.Handle) ss.Stream { return new(echo) }}
	case kindWS, kindWSS:
		info = ss.Info{StreamType: e.kind, New: newEchoServer().join}
	case kindFan:
		info = ss.Info{StreamType: "ws", New: new(fan).join}
	case kindTLS, kindH2:
		info.StreamType = e.kind
	case kindBulkH1:
		info = ss.Info{StreamType: "h1", New: func(*ss.Handle) ss.Stream { return new(bulkStream) }}
	case kindBulk:
		info = ss.Info{StreamType: "tls", New: func(*ss.Handle) ss.Stream { return new(bulkStream) }}
	}
	h, err := rt.Create(info)
	if err != nil {
		return err
	}
	a, _ := h.Addr()
	e.report(a.IP.String())
	return l.Run(context.Background())
}

// answer sends the same body to every request.
type answer struct{}

func (answer) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s != ss.ServerTxn {
		return ss.OK
	}
	h.ServerAck(0)
	if err := h.SetMetadataString("mime", "text/plain"); err != nil {
		return ss.DestroyMe
	}
	return h.RequestTxLen(int64(len(gen.Body)))
}

func (answer) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

func (answer) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, gen.Body), ss.SOM | ss.EOM, ss.OK
}

// bulkStream sends gen.Bulk to every request.
type bulkStream struct{ off int }

func (d *bulkStream) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s != ss.ServerTxn {
		return ss.OK
	}
	d.off = 0
	h.ServerAck(0)
	if err := h.SetMetadataString("mime", "application/octet-stream"); err != nil {
		return ss.DestroyMe
	}
	h.RequestTxLen(gen.BulkSize)
	return d.send(h)
}

// send sends as much as the socket accepts; Tx sends the rest.
func (d *bulkStream) send(h *ss.Handle) ss.Ret {
	n, err := h.Send(gen.BulkBody()[d.off:], ss.EOM)
	d.off += n
	if err != nil && !errors.Is(err, ss.ErrBlocked) {
		return ss.DisconnectMe
	}
	return ss.OK
}

func (d *bulkStream) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }

func (d *bulkStream) Tx(h *ss.Handle, _ uint32, _ []byte) (int, ss.Flags, ss.Ret) {
	return 0, 0, d.send(h)
}

// echo keeps received bytes until it can send them, and pauses reading while it has many.
type echo struct {
	held []byte
	off  int
}

// echoHigh is the number of bytes at which an echo pauses reading.
const echoHigh = 64 << 10

func (e *echo) State(*ss.Handle, ss.State, ss.Notice) ss.Ret { return ss.OK }

func (e *echo) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f == ss.EOM && len(b) == 0 { // raw: the peer has half-closed
		if e.off == len(e.held) {
			return ss.DisconnectMe
		}
		return h.RequestTx() // sends the rest, then the stream ends by itself
	}
	if e.off == len(e.held) {
		n, err := h.Send(b, f)
		if err == nil {
			return ss.OK
		}
		b = b[n:]
	}
	e.held = append(e.held, b...)
	if len(e.held)-e.off >= echoHigh {
		h.Pause()
	}
	return h.RequestTx()
}

func (e *echo) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	n := copy(buf, e.held[e.off:])
	e.off += n
	if e.off < len(e.held) {
		h.RequestTx()
		return n, 0, ss.OK
	}
	e.held, e.off = e.held[:0], 0
	h.Resume()
	return n, 0, ss.OK
}
