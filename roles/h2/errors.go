package h2

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/roles/http"
)

// ErrBusy and ErrClosed are the errors of Client.Do.
var (
	ErrBusy   = errors.New("h2: do: the peer takes no more streams for now")
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
	s := "h2: connection: the peer went away: " + e.Code.String()
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
	errPreface      = bad(ProtocolError, "preface", "not the one of HTTP/2")
	errFirst        = bad(ProtocolError, "preface", "not followed by SETTINGS: the peer may not speak HTTP/2")
	errFrameSize    = bad(FrameSizeError, "frame", "longer than we allow")
	errFrameLen     = bad(FrameSizeError, "frame", "length does not suit its type")
	errFrameStream  = bad(ProtocolError, "frame", "type does not suit its stream")
	errFrameSlow    = slow(EnhanceYourCalm, "frame", "not complete in time")
	errIdle         = bad(ProtocolError, "frame", "for a stream that was never opened")
	errPadding      = bad(ProtocolError, "frame", "padding longer than the frame")
	errPush         = bad(ProtocolError, "push promise", "push is off")
	errStreamClosed = bad(StreamClosed, "frame", "for a stream that is closed")
	errHalfClosed   = bad(StreamClosed, "frame", "behind the end of its stream")
	errStreamID     = bad(ProtocolError, "headers", "stream number is even, or not above the ones before")
	errInterleaved  = bad(ProtocolError, "continuation", "missing, or not expected")
	errBlockLong    = bad(EnhanceYourCalm, "headers", "block too long")
	errBlockFrames  = bad(EnhanceYourCalm, "headers", "block in too many frames")
	errBlockSlow    = slow(EnhanceYourCalm, "headers", "not complete in time")
	errCompression  = bad(CompressionError, "headers", "block cannot be decompressed")
	errSelf         = bad(ProtocolError, "priority", "stream depends on itself")
	errWindowZero   = bad(ProtocolError, "window update", "increment of 0")
	errWindowBig    = bad(FlowControlError, "window update", "window above 2^31-1")
	errConnWindow   = bad(FlowControlError, "data", "more than the connection's window")
	errWindow       = bad(FlowControlError, "data", "more than the stream's window")
	errSettingsAck  = bad(FrameSizeError, "settings", "acknowledgement with a payload")
	errSettingsSlow = slow(SettingsTimeout, "settings", "not acknowledged in time")
	errSettingsPush = bad(ProtocolError, "settings", "ENABLE_PUSH is neither 0 nor the client's to set to 1")
	errSettingsWin  = bad(FlowControlError, "settings", "INITIAL_WINDOW_SIZE above 2^31-1")
	errSettingsSize = bad(ProtocolError, "settings", "MAX_FRAME_SIZE out of range")
	errSettingsConn = bad(ProtocolError, "settings", "ENABLE_CONNECT_PROTOCOL is not 1, or was taken back")
	errSettingsPrio = bad(ProtocolError, "settings", "NO_RFC7540_PRIORITIES is neither 0 nor 1")
	errPingSlow     = slow(NoError, "ping", "not answered in time")
	errFloodFrames  = bad(EnhanceYourCalm, "connection", "too many frames that move nothing")
	errFloodResets  = bad(EnhanceYourCalm, "connection", "too many streams reset")
	errFloodOwed    = bad(EnhanceYourCalm, "connection", "answers pile up that the peer does not read")

	errListLong   = bad(EnhanceYourCalm, "headers", "too long, or too many")
	errName       = bad(ProtocolError, "field", "name is not a token in lower case")
	errValue      = bad(ProtocolError, "field", "illegal octet or outer whitespace in the value")
	errConnField  = bad(ProtocolError, "field", "one of a connection, which HTTP/2 has none of")
	errTE         = bad(ProtocolError, "te", "not trailers")
	errPseudo     = bad(ProtocolError, "pseudo field", "unknown, given twice, or behind another field")
	errPseudoNone = bad(ProtocolError, "pseudo field", "missing")
	errPseudoMore = bad(ProtocolError, "pseudo field", "does not belong here")
	errMethod     = bad(ProtocolError, ":method", "not a token")
	errPath       = bad(ProtocolError, ":path", "empty, or illegal octet in it")
	errScheme     = bad(ProtocolError, ":scheme", "not a scheme")
	errAuthority  = bad(ProtocolError, ":authority", "not host[:port], or not what host says")
	errStatus     = bad(ProtocolError, ":status", "not three digits of a response")
	errLength     = bad(ProtocolError, "content-length", "not one number")
	errLengthMore = bad(ProtocolError, "content-length", "less than the body")
	errLengthLess = bad(ProtocolError, "content-length", "more than the body")
	errBodyBig    = bad(Cancel, "body", "over the limit")
	errBodySlow   = slow(Cancel, "body", "nothing came in time")
	errBodyRate   = slow(Cancel, "body", "slower than the least rate")
	errBodyLong   = slow(Cancel, "body", "not complete in time")
	errRespSlow   = slow(Cancel, "response", "nothing came in time")
	errHalfSlow   = slow(Cancel, "response", "nothing was sent in time to a client that has ended its direction")
	errWindowSlow = slow(Cancel, "body", "the peer granted no window in time")
	errTrailers   = bad(ProtocolError, "trailers", "without END_STREAM, or with a pseudo field")
	errNoHead     = bad(ProtocolError, "data", "in front of the head")
	errInterim    = bad(ProtocolError, "headers", "too many informational ones, or one that ends the stream")
	errTooMany    = bad(RefusedStream, "headers", "more streams than we allow")
)

// ErrNoExtendedConnect is the error of SendHead for an extended CONNECT if the peer's SETTINGS do not allow it (RFC
// 8441 s.3).
var ErrNoExtendedConnect = errors.New("h2: send head: the peer does not take extended CONNECT")

func misuse(what string) error { return fmt.Errorf("h2: %s: %w", what, http.ErrMisuse) }

var (
	errReset       = errors.New("h2: exchange: reset by its handler")
	errOwnerClosed = errors.New("h2: exchange: connection closed by its owner")
	errPeerEnded   = errors.New("h2: connection: ended by the peer in the middle")
	errNotSent     = fmt.Errorf("h2: request: not sent: %w", http.ErrNotProcessed)
	errUnread      = fmt.Errorf("h2: response is complete: %w", http.ErrUnread)
	errNoStreamIDs = fmt.Errorf("h2: stream numbers are used up: %w", http.ErrNotProcessed)
	errCommitOver  = misuse("commit: more than Room gave")
	errCommitHead  = misuse("commit: body without a head")
	errCommitLess  = misuse("commit: body ends before its announced length")
	errCommitHeld  = misuse("commit: body before 100 (Continue)")
	errSendTwice   = misuse("send head: a final head was sent already")
	errSendStatus  = misuse("send head: status out of range, or 101")
	errSendSize    = misuse("send head: longer than one room")
	errSendEnd     = misuse("send head: no body, but a length above 0")
	errSendName    = misuse("send head: field name is not a token")
	errSendValue   = misuse("send head: illegal octet or outer whitespace in a field value")
	errSendFraming = misuse("send head: framing field, or a server's Date, among the message's")
	errSendTarget  = misuse("send head: illegal target")
	errSendMethod  = misuse("send head: method is no token, or CONNECT without Protocol")
	errSendHost    = misuse("send head: authority is not host[:port]")
	errSendScheme  = misuse("send head: scheme is missing")
	errUpgrade     = misuse("upgrade: not an extended CONNECT, or not at its time")
)

// ErrSilent is the cause of a connection's end after SetValidity's hangup time without input from the peer.
var ErrSilent error = errPingSlow
