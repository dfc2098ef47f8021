package h1

import (
	"github.com/millrace/millrace/roles/http"
)

// fault is a violation by the peer. All faults are made once, so that an attack causes no allocation.
type fault = http.ProtocolError

func badRequest(where, reason string) *fault { return newFault(400, where, reason) }

func newFault(status int, where, reason string) *fault {
	return &fault{Proto: "h1", Where: where, Reason: reason, Status: status}
}

var (
	errBareCR       = badRequest("line", "CR without LF")
	errBareLF       = badRequest("line", "LF without CR")
	errBareLFOption = badRequest("line", `LF without CR: "http_lenient_lf" in the policy (h1.Config.BareLF) accepts it`)
	errControl      = badRequest("line", "control octet")
	errHeadLong     = newFault(431, "head", "too long")
	errFieldsMax    = newFault(431, "head", "too many fields")
	errTrailLong    = newFault(431, "trailers", "too long")

	errStartLong  = newFault(414, "request line", "too long")
	errMethod     = badRequest("request line", "method is not a token")
	errMethodLong = newFault(501, "request line", "method is too long for any known one")
	errStart      = badRequest("request line", "not METHOD SP target SP version")
	errTarget     = badRequest("request line", "illegal octet in target")
	errForm       = badRequest("request line", "target is neither a path nor an http URI")
	errAsterisk   = badRequest("request line", "target * without OPTIONS")
	errVersion    = badRequest("request line", "malformed version")
	errVersionNo  = newFault(505, "request line", "version is not 1.0 or 1.1")
	errConnect    = newFault(501, "request line", "CONNECT is not supported")

	errStatusLong  = badRequest("status line", "too long")
	errStatusLine  = badRequest("status line", "not version SP status [SP reason]")
	errStatusBlank = badRequest("status line", "too many empty lines before it")
	errStatusVers  = badRequest("status line", "version is not 1.0 or 1.1")

	errFold      = badRequest("field", "folded, or whitespace before the name")
	errName      = badRequest("field", "name is not a token directly followed by a colon")
	errHostNone  = badRequest("host", "missing")
	errHostTwice = badRequest("host", "given twice")
	errHostBad   = badRequest("host", "not host[:port]")

	errLengthDiffer = badRequest("content-length", "given twice, with different values")
	errLengthTwice  = badRequest("content-length", "given twice")
	errLengthBad    = badRequest("content-length", "not a number")
	errLengthBig    = newFault(413, "content-length", "over the limit")
	errLengthAndTE  = badRequest("content-length", "given together with transfer-encoding")
	errTE10         = badRequest("transfer-encoding", "in a message of HTTP/1.0")
	errTETwice      = badRequest("transfer-encoding", "given twice")
	errTELast       = badRequest("transfer-encoding", "does not end in chunked")
	errTEUnknown    = newFault(501, "transfer-encoding", "coding other than chunked")
	errExpect       = newFault(417, "expect", "not 100-continue")

	errBodyBig    = newFault(413, "body", "over the limit")
	errChunkSize  = badRequest("chunk", "size is not a hexadecimal number")
	errChunkBig   = badRequest("chunk", "size out of range")
	errChunkExt   = badRequest("chunk", "malformed extension")
	errChunkLong  = badRequest("chunk", "line too long")
	errChunkExtra = badRequest("chunk", "too many extensions")
	errChunkEnd   = badRequest("chunk", "data is not followed by CRLF")
	errTrailField = badRequest("trailers", "field that is not allowed in trailers")

	errHeadSlow = timeout(408, "head", "not complete in time")
	errBodySlow = timeout(408, "body", "nothing came in time")
	errBodyRate = timeout(408, "body", "slower than the least rate")
	errBodyLong = timeout(408, "body", "not complete in time")
	errRespSlow = timeout(0, "response", "nothing came in time")
	errHalfSlow = timeout(0, "response", "nothing sent in time after the client ended its direction")

	errHeadCut = badRequest("head", "incomplete when the connection ended")
	errBodyCut = badRequest("body", "incomplete when the connection ended")

	errHeadNone = badRequest("head", "missing when the connection ended")

	errInterim     = badRequest("head", "too many informational responses")
	errUnsolicited = badRequest("response", "bytes without a request")
	errSwitch      = badRequest("response", "101 without Upgrade in the request, or refused by the handler")
)

func timeout(status int, where, reason string) *fault {
	f := newFault(status, where, reason)
	f.Cause = http.ErrTimeout
	return f
}
