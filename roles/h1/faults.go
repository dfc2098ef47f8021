package h1

import (
	"github.com/millrace/millrace/roles/http"
)

// fault is an error of the peer's. They are made once, so that being attacked allocates nothing.
type fault = http.ProtocolError

func bad(where, reason string) *fault { return refuse(400, where, reason) }

func refuse(status int, where, reason string) *fault {
	return &fault{Proto: "h1", Where: where, Reason: reason, Status: status}
}

var (
	errBareCR       = bad("line", "CR without LF")
	errBareLF       = bad("line", "LF without CR")
	errBareLFOption = bad("line", `LF without CR: "http_lenient_lf" in the policy (h1.Config.BareLF) accepts it`)
	errControl      = bad("line", "control octet")
	errHeadLong     = refuse(431, "head", "too long")
	errFieldsMax    = refuse(431, "head", "too many fields")
	errTrailLong    = refuse(431, "trailers", "too long")

	errStartLong  = refuse(414, "request line", "too long")
	errMethod     = bad("request line", "method is not a token")
	errMethodLong = refuse(501, "request line", "method is too long to be one that is served")
	errStart      = bad("request line", "not METHOD SP target SP version")
	errTarget     = bad("request line", "illegal octet in target")
	errForm       = bad("request line", "target is neither a path nor an http URI")
	errAsterisk   = bad("request line", "target * without OPTIONS")
	errVersion    = bad("request line", "malformed version")
	errVersionNo  = refuse(505, "request line", "version is not 1.0 or 1.1")
	errConnect    = refuse(501, "request line", "CONNECT is not served")

	errStatusLong  = bad("status line", "too long")
	errStatusLine  = bad("status line", "not version SP status [SP reason]")
	errStatusBlank = bad("status line", "too many empty lines in front of it")
	errStatusVers  = bad("status line", "version is not 1.0 or 1.1")

	errFold      = bad("field", "folded, or whitespace in front of a name")
	errName      = bad("field", "name is not a token directly followed by a colon")
	errHostNone  = bad("host", "missing")
	errHostTwice = bad("host", "given twice")
	errHostBad   = bad("host", "not host[:port]")

	errLengthDiffer = bad("content-length", "given twice, with different values")
	errLengthTwice  = bad("content-length", "given twice")
	errLengthBad    = bad("content-length", "not a number")
	errLengthBig    = refuse(413, "content-length", "over the limit")
	errLengthAndTE  = bad("content-length", "given together with transfer-encoding")
	errTE10         = bad("transfer-encoding", "in a message of HTTP/1.0")
	errTETwice      = bad("transfer-encoding", "given twice")
	errTELast       = bad("transfer-encoding", "does not end in chunked")
	errTEUnknown    = refuse(501, "transfer-encoding", "coding other than chunked")
	errExpect       = refuse(417, "expect", "not 100-continue")

	errBodyBig    = refuse(413, "body", "over the limit")
	errChunkSize  = bad("chunk", "size is not a hexadecimal number")
	errChunkBig   = bad("chunk", "size out of range")
	errChunkExt   = bad("chunk", "malformed extension")
	errChunkLong  = bad("chunk", "line too long")
	errChunkExtra = bad("chunk", "too many extensions")
	errChunkEnd   = bad("chunk", "data is not followed by CRLF")
	errTrailField = bad("trailers", "field that frames or routes a message")

	errHeadSlow = slow(408, "head", "not complete in time")
	errBodySlow = slow(408, "body", "nothing came in time")
	errBodyRate = slow(408, "body", "slower than the least rate")
	errBodyLong = slow(408, "body", "not complete in time")
	errRespSlow = slow(0, "response", "nothing came in time")
	errHalfSlow = slow(0, "response", "nothing was sent in time to a client that has ended its direction")

	errHeadCut = bad("head", "connection ended inside of it")
	errBodyCut = bad("body", "connection ended inside of it")

	errHeadNone = bad("head", "connection ended in front of it")

	errInterim     = bad("head", "too many informational ones")
	errUnsolicited = bad("response", "bytes without a request")
	errSwitch      = bad("response", "101 without an upgrade asked for and taken")
)

func slow(status int, where, reason string) *fault {
	f := refuse(status, where, reason)
	f.Cause = http.ErrTimeout
	return f
}
