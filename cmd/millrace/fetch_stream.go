package main

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss"
	ssdevice "github.com/millrace/millrace/ss/device"
)

// verdict is how a fetch ended.
type verdict uint8

const (
	verdictNone        verdict = iota
	verdictDone                // the transaction was accepted, or the raw peer closed in order
	verdictNack                // the peer answered with a failure
	verdictUnreachable         // all retries failed
	verdictCut                 // the connection ended before the payload was complete, in either direction
	verdictTimeout             // the time of --timeout has expired
	verdictLocal               // a local file could not be read or written
	verdictRefused             // a WebSocket was refused, or closed with an error code
	verdictUsage               // the command line and the policy do not allow an attempt
)

var verdicts = [...]struct {
	text   string
	status int
}{
	verdictNone:        {"ended without a verdict", exitLocal},
	verdictDone:        {"done", exitOK},
	verdictNack:        {"refused by the peer (nack)", exitRefused},
	verdictUnreachable: {"unreachable", exitUnreachable},
	verdictCut:         {"the connection ended before the payload was complete", exitUnreachable},
	verdictTimeout:     {"timed out", exitUnreachable},
	verdictLocal:       {"local error", exitLocal},
	verdictRefused:     {"refused by the peer", exitRefused},
	verdictUsage:       {"no attempt can be made", exitUsage},
}

// String returns the text for error messages.
func (v verdict) String() string { return verdicts[v].text }

func (v verdict) status() int { return verdicts[v].status }

// errOnce is the error of a retry that is not possible.
var errOnce = errors.New("the payload came from standard input and cannot be sent again")

// fetcher is the stream of one fetch.
type fetcher struct {
	runner    *runner
	q         *fetches
	o         *fetchFlags
	at        *target
	h         *ss.Handle
	up        *upload
	out       *download
	verdict   verdict
	why       error
	last      error // the cause of the last failed attempt
	got       int64
	destroyed bool // DESTROYING was reported
	sent      bool // with --send: the payload is sent
	ended     bool // raw: the peer has closed its direction
	ws        wsFetch
}

// State prepares each attempt, and sets the verdict at the end.
func (f *fetcher) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	raw := !transactional(h.Policy())
	switch s {
	case ss.Creating:
		return f.prepare(h)
	case ss.Connecting:
		f.sent, f.ended, f.ws = false, false, wsFetch{}
		if !f.up.rewind() {
			return f.end(h, verdictUnreachable, errOnce)
		}
		if !raw && (f.up.size >= 0 && f.o.hasData || takesUnknown(h.Policy().HTTP.Method)) {
			return f.ask(h)
		}
	case ss.Connected:
		if raw && (f.o.hasData || f.o.lines) {
			return h.RequestTx()
		}
	case ss.QOSAckRemote:
		f.verdict = verdictDone
	case ss.QOSNackRemote:
		f.verdict = verdictNack
	case ss.Disconnected:
		switch {
		case f.verdict != verdictNone:
			return f.end(h, f.verdict, f.why)
		case raw && !f.runner.interrupted && orderly(n.Cause) && !f.ws.within && (f.o.bytes == 0 || f.got >= f.o.bytes) && (!f.o.hasData || f.up.complete()):
			return f.end(h, verdictDone, nil)
		case closedBadly(n.Cause):
			return f.end(h, verdictRefused, n.Cause)
		}
		return f.end(h, verdictCut, n.Cause)
	case ss.Unreachable:
		switch f.last = n.Cause; {
		case f.o.ws && refused(n.Cause):
			return f.end(h, verdictRefused, n.Cause)
		case errors.Is(n.Cause, ss.ErrEndpoint), errors.Is(n.Cause, ss.ErrNoClientCert), errors.As(n.Cause, new(*ssdevice.BlobError)),
			errors.Is(n.Cause, policy.ErrValue), errors.Is(n.Cause, http.ErrMisuse): // a value that cannot be sent
			return f.end(h, verdictUsage, n.Cause)
		}
	case ss.AllRetriesFailed, ss.AuthFailed:
		return f.end(h, verdictUnreachable, n.Cause)
	case ss.Timeout:
		return f.end(h, verdictTimeout, f.last)
	case ss.Destroying:
		f.up.stop()
		f.q.streamEnded(f)
	}
	return ss.OK
}

// prepare sets the metadata of the command line.
func (f *fetcher) prepare(h *ss.Handle) ss.Ret {
	f.up.h = h
	f.up.failed = func(err error) {
		f.end(h, verdictLocal, err)
		h.Destroy()
	}
	h.StartTimeout(f.o.timeout) // for all attempts together
	for _, m := range f.at.metadata {
		if err := h.SetMetadataString(m.name, m.value); err != nil {
			f.q.setup = fmt.Errorf("-m %s: %w", m.name, err)
			return ss.DestroyMe
		}
	}
	return ss.OK
}

// ask announces the payload of this attempt. A POST without --data is one with an empty body.
func (f *fetcher) ask(h *ss.Handle) ss.Ret {
	switch {
	case !f.o.hasData:
		return h.RequestTxLen(0)
	case f.up.size >= 0:
		return h.RequestTxLen(f.up.size)
	}
	return h.RequestTx()
}

// end sets the verdict, if there is none yet, and destroys the stream.
func (f *fetcher) end(h *ss.Handle, v verdict, why error) ss.Ret {
	if f.verdict == verdictNone {
		f.verdict = v
	}
	if f.why == nil {
		f.why = why
	}
	return ss.DestroyMe
}

// Rx passes payload on to the output.
func (f *fetcher) Rx(h *ss.Handle, b []byte, flags ss.Flags) ss.Ret {
	if want := f.o.bytes; want > 0 && !transactional(h.Policy()) {
		b = b[:min(int64(len(b)), want-f.got)]
		if f.got+int64(len(b)) == want {
			f.verdict = verdictDone
		}
	}
	if !f.o.ws && flags&ss.EOM != 0 && !transactional(h.Policy()) {
		// The peer has closed its direction. Payload that is read already is still sent.
		if f.ended = true; !f.o.hasData || f.up.complete() || f.up.reading {
			return ss.DisconnectMe
		}
	}
	f.got += int64(len(b))
	if f.o.ws {
		b = f.message(b, flags)
	}
	if f.out.put(b) {
		h.Pause()
	}
	if f.verdict == verdictDone {
		return ss.DestroyMe
	}
	return ss.OK
}

// Tx sends the payload of the command line.
func (f *fetcher) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if f.sent {
		return 0, 0, f.end(h, verdictDone, nil)
	}
	if f.o.ws {
		return f.sendMessage(h, buf)
	}
	n, flags, r := f.up.fill(buf)
	if f.ended && (flags&ss.EOM != 0 || r == ss.TxDontSend) {
		h.Disconnect()
	}
	if flags&ss.EOM != 0 && f.o.sendOnly && !transactional(h.Policy()) {
		f.sent = true
		h.RequestTx() // the payload of this call is committed before the next call
	}
	return n, flags, r
}
