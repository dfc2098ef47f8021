package h2

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// ErrBusy and ErrClosed are the errors of Client.Do.
var (
	ErrBusy   = errors.New("h2: do: the peer accepts no more streams now")
	ErrClosed = fmt.Errorf("h2: do: connection is closed or going away: %w", http.ErrNotProcessed)
)

// ResetError is the cause of an exchange that the peer ended with RST_STREAM.
type ResetError struct {
	Code Code
}

// Error implements error.
func (e *ResetError) Error() string { return "h2: stream: reset by the peer: " + e.Code.String() }

// Unwrap returns http.ErrNotProcessed if the peer has certainly not processed the request (RFC 9113 s.8.7).
func (e *ResetError) Unwrap() error {
	if e.Code == RefusedStream {
		return http.ErrNotProcessed
	}
	return nil
}

// GoAwayError is the cause of an exchange that ended because the peer sent GOAWAY.
type GoAwayError struct {
	Code  Code
	Last  uint32 // the last of our streams that the peer may have processed
	Debug string // the debug data of the frame, shortened
	// Unseen reports that the stream was above Last.
	Unseen bool
}

// Error implements error.
func (e *GoAwayError) Error() string {
	s := "h2: connection: GOAWAY from the peer: " + e.Code.String()
	if e.Debug != "" {
		s += fmt.Sprintf(" (%q)", e.Debug)
	}
	return s
}

// Unwrap returns http.ErrNotProcessed if the peer has certainly not processed the request.
func (e *GoAwayError) Unwrap() error {
	if e.Unseen {
		return http.ErrNotProcessed
	}
	return nil
}

// fault is a violation of the protocol or of a limit by the peer. All are made once, so that an attack allocates
// nothing. code is sent to the peer, in RST_STREAM or GOAWAY: the caller decides which.
type fault struct {
	http.ProtocolError
	code Code
}

func bad(code Code, where, reason string) *fault {
	return &fault{http.ProtocolError{Proto: "h2", Where: where, Reason: reason}, code}
}

func slow(code Code, where, reason string) *fault {
	f := bad(code, where, reason)
	f.Cause = http.ErrTimeout
	return f
}

var (
	errPreface      = bad(ProtocolError, "preface", "not the client preface of HTTP/2")
	errFirst        = bad(ProtocolError, "preface", "first frame is not SETTINGS: the peer may not speak HTTP/2")
	errFrameSize    = bad(FrameSizeError, "frame", "longer than MAX_FRAME_SIZE")
	errFrameLen     = bad(FrameSizeError, "frame", "invalid length for its type")
	errFrameStream  = bad(ProtocolError, "frame", "invalid stream for its type")
	errFrameSlow    = slow(EnhanceYourCalm, "frame", "not complete in time")
	errIdle         = bad(ProtocolError, "frame", "on an idle stream")
	errPadding      = bad(ProtocolError, "frame", "padding longer than the frame")
	errPush         = bad(ProtocolError, "push promise", "ENABLE_PUSH is 0")
	errStreamClosed = bad(StreamClosed, "frame", "on a closed stream")
	errHalfClosed   = bad(StreamClosed, "frame", "after END_STREAM")
	errStreamID     = bad(ProtocolError, "headers", "stream id is not the next of the peer")
	errInterleaved  = bad(ProtocolError, "continuation", "missing or unexpected")
	errBlockLong    = bad(EnhanceYourCalm, "headers", "block too long")
	errBlockFrames  = bad(EnhanceYourCalm, "headers", "too many CONTINUATION frames")
	errBlockSlow    = slow(EnhanceYourCalm, "headers", "not complete in time")
	errCompression  = bad(CompressionError, "headers", "invalid header block")
	errSelf         = bad(ProtocolError, "priority", "stream depends on itself")
	errWindowZero   = bad(ProtocolError, "window update", "increment is 0")
	errWindowBig    = bad(FlowControlError, "window update", "window above 2^31-1")
	errConnWindow   = bad(FlowControlError, "data", "exceeds the connection's window")
	errWindow       = bad(FlowControlError, "data", "exceeds the stream's window")
	errSettingsAck  = bad(FrameSizeError, "settings", "acknowledgement with a payload")
	errSettingsSlow = slow(SettingsTimeout, "settings", "not acknowledged in time")
	errSettingsPush = bad(ProtocolError, "settings", "invalid ENABLE_PUSH")
	errSettingsWin  = bad(FlowControlError, "settings", "INITIAL_WINDOW_SIZE above 2^31-1")
	errSettingsSize = bad(ProtocolError, "settings", "MAX_FRAME_SIZE out of range")
	errSettingsConn = bad(ProtocolError, "settings", "invalid ENABLE_CONNECT_PROTOCOL, or a change from 1 to 0")
	errSettingsPrio = bad(ProtocolError, "settings", "invalid NO_RFC7540_PRIORITIES")
	errPingSlow     = slow(NoError, "ping", "not answered in time")
	errFloodFrames  = bad(EnhanceYourCalm, "connection", "too many frames without progress")
	errFloodResets  = bad(EnhanceYourCalm, "connection", "too many streams reset")
	errFloodOwed    = bad(EnhanceYourCalm, "connection", "the peer does not read its acknowledgements")

	errListLong   = bad(EnhanceYourCalm, "headers", "section too long, or too many fields")
	errName       = bad(ProtocolError, "field", "name is not a lower-case token")
	errValue      = bad(ProtocolError, "field", "illegal octet, or whitespace around the value")
	errConnField  = bad(ProtocolError, "field", "connection-specific field")
	errTE         = bad(ProtocolError, "te", "value is not trailers")
	errPseudo     = bad(ProtocolError, "pseudo field", "unknown, repeated, or after another field")
	errPseudoNone = bad(ProtocolError, "pseudo field", "missing")
	errPseudoMore = bad(ProtocolError, "pseudo field", "not allowed in this section")
	errMethod     = bad(ProtocolError, ":method", "not a token")
	errPath       = bad(ProtocolError, ":path", "empty, or an illegal octet")
	errScheme     = bad(ProtocolError, ":scheme", "not a scheme")
	errAuthority  = bad(ProtocolError, ":authority", "not host[:port], or different from Host")
	errStatus     = bad(ProtocolError, ":status", "not a status code of HTTP/2")
	errLength     = bad(ProtocolError, "content-length", "not a single number")
	errLengthMore = bad(ProtocolError, "content-length", "less than the body")
	errLengthLess = bad(ProtocolError, "content-length", "more than the body")
	errBodyBig    = bad(Cancel, "body", "longer than the limit")
	errBodySlow   = slow(Cancel, "body", "nothing arrived in time")
	errBodyRate   = slow(Cancel, "body", "slower than the least rate")
	errBodyLong   = slow(Cancel, "body", "not complete in time")
	errRespSlow   = slow(Cancel, "response", "did not arrive in time")
	errHalfSlow   = slow(Cancel, "response", "nothing was sent in time to a half-closed client")
	errWindowSlow = slow(Cancel, "body", "the peer opened no window in time")
	errTrailers   = bad(ProtocolError, "trailers", "without END_STREAM, or with a pseudo field")
	errNoHead     = bad(ProtocolError, "data", "before the head")
	errInterim    = bad(ProtocolError, "headers", "too many 1xx heads, or one with END_STREAM")
	errTooMany    = bad(RefusedStream, "headers", "more streams than MAX_CONCURRENT_STREAMS")
)

// ErrNoExtendedConnect is the error of SendHead for an extended CONNECT if the peer's SETTINGS do not allow it (RFC
// 8441 s.3).
var ErrNoExtendedConnect = errors.New("h2: send head: the peer does not support extended CONNECT")

func misuse(what string) error { return fmt.Errorf("h2: %s: %w", what, http.ErrMisuse) }

var (
	errReset       = errors.New("h2: exchange: reset by its handler")
	errOwnerClosed = errors.New("h2: exchange: connection closed by its owner")
	errPeerEnded   = errors.New("h2: connection: the peer ended it during an exchange")
	errNotSent     = fmt.Errorf("h2: request: not sent: %w", http.ErrNotProcessed)
	errUnread      = fmt.Errorf("h2: response is complete: %w", http.ErrUnread)
	errNoStreamIDs = fmt.Errorf("h2: no stream ids left: %w", http.ErrNotProcessed)
	errCommitOver  = misuse("commit: more bytes than Room returned")
	errCommitHead  = misuse("commit: body without a head")
	errCommitLess  = misuse("commit: body ends before its announced length")
	errCommitHeld  = misuse("commit: body before 100 (Continue)")
	errSendTwice   = misuse("send head: the final head was sent before")
	errSendStatus  = misuse("send head: status out of range, or 101")
	errSendSize    = misuse("send head: too long")
	errSendEnd     = misuse("send head: end, but a length above 0")
	errSendName    = misuse("send head: field name is not a token")
	errSendValue   = misuse("send head: illegal octet, or whitespace around a field value")
	errSendFraming = misuse("send head: a framing field, or a server's Date")
	errSendTarget  = misuse("send head: illegal target")
	errSendMethod  = misuse("send head: method is not a token, or CONNECT without Protocol")
	errSendHost    = misuse("send head: authority is not host[:port]")
	errSendScheme  = misuse("send head: scheme is missing")
	errUpgrade     = misuse("upgrade: not an extended CONNECT, or no 2xx was exchanged")
)

// ErrSilent is the cause of a connection's end after SetValidity's hangup time without input from the peer.
var ErrSilent error = errPingSlow
