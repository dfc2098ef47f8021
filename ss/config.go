package ss

import (
	stdtls "crypto/tls"
	"log/slog"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/h1"
	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/roles/http/multipart"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// The configuration and the counters of a Runtime.

// Config configures a Runtime.
type Config struct {
	// Multipart limits the multipart bodies of requests and responses that are split into parts
	// ("http_multipart_ss_in").
	Multipart multipart.Limits
	// Loop drives everything. Required.
	Loop *loop.Loop
	// Policy defines the stream types. Required.
	Policy *policy.Policy
	// Net configures the connections.
	Net wsi.Config
	// H1 holds limits and timeouts of HTTP/1.1; nil means h1.DefaultConfig. It is copied.
	H1 *h1.Config
	// WS holds limits, timeouts and compression parameters of WebSocket connections; nil means the defaults. The
	// policy decides whether messages are compressed.
	WS *ws.Config
	// H2 configures HTTP/2 connections; nil means h2.DefaultConfig. It is copied.
	H2 *h2.Config
	// Log receives messages for the operator, including callbacks that run for too long (loop.Config.Slow) unless the
	// loop has an OnSlow. Default: nothing is logged. The handler must not block: see LogRing.
	Log *slog.Logger
	// KeepWarm is how long an idle, reusable client connection waits for the next stream with the same endpoint.
	// Default 5 s; negative: such connections are closed.
	KeepWarm time.Duration
	// WarmMax is the largest number of such connections, over all endpoints. Default 64; negative: none.
	WarmMax int
	// SharedMax is how many connections streams of protocol h2 open to one endpoint when the server's limit of
	// concurrent exchanges on the first is reached. Further streams wait in order. Default 2.
	SharedMax int
	// IdleStreams is the number of idle streams kept per accepted HTTP/2 connection for its next requests. Idle
	// streams above that number are destroyed after a few seconds. Default 4; negative: none.
	IdleStreams int
	// HalfClosed is how long a raw stream may send nothing after its peer has ended its direction; then the
	// connection is closed. The stream receives an empty Rx with EOM when the peer ends its direction, and should end
	// the connection itself, with LWSSSSRET_DISCONNECT_ME or Disconnect: a dead peer looks like one that waits for
	// more. Default 10 s, enough to compute an answer; negative: no limit.
	HalfClosed time.Duration
	// Grace is how long Run waits for started transactions when the program ends. Default 10 s; negative: they are
	// aborted at once. Only Run uses it.
	Grace time.Duration
	// Backlog is the backlog of listening sockets; 0 is the system's maximum.
	Backlog int
	// ReusePort lets several processes or loops listen on one port: see loop.ListenOptions.
	ReusePort bool
	// TLS configures sessions: limits, and Floor, a time that is certainly in the past. The loop's clock, steps and
	// memory replace those set here.
	TLS tls.Config
	// ClientCerts are the certificates with keys to which the policy's client_cert refers by index. Blobs provides
	// those with a larger index.
	ClientCerts []stdtls.Certificate
	// Blobs holds the device's own values to which policies refer: see device.BlobID. nil: there are none.
	Blobs device.Blobs
	// Observe receives every state before its stream does. It is for tests and monitors, and must not call methods of
	// the runtime.
	Observe func(h *Handle, s State, n Notice)
	// Cookies configures the cookie jar of streams with "http_cookies".
	Cookies device.Cookies
	// SocksProxy is the SOCKS5 proxy for client streams for which the policy names none, as
	// "[user:password@]host:port"; "" for none. The library reads no environment: a program that respects it passes
	// the value of socks_proxy. This release does not implement SOCKS5: Create refuses the streams that need it, so
	// that none of them connects directly.
	SocksProxy string
	// PanicOnIllegal turns a move that is not in the table into a panic, instead of a log line and a count; likewise
	// a violation that CheckThread finds. Tests set it.
	PanicOnIllegal bool
	// CheckThread checks with each call of a Handle's methods that the call comes from the loop's thread. A call from
	// another goroutine is logged, counted (Counters.WrongThread), and answered with LWSSSSRET_SS_HANDLE_DESTROYED or
	// ErrWrongThread; without CheckThread its effect is undefined. It costs a system call per method, works on Linux
	// only, and needs a loop whose goroutine is locked to its thread: see loop.WatchThread. For debugging; tests set
	// it.
	CheckThread bool
}

// Counters count events of streams. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Created, Destroyed uint64 // handles, including accepted ones
	Attempts           uint64 // connection attempts of client streams, including those on a warm connection
	Warm               uint64 // attempts that found a warm connection
	Shared             uint64 // attempts that shared a connection in use, or waited for it
	Repeated           uint64 // requests repeated within their attempt: the server did not process them, or the method is idempotent
	Rewound            uint64 // times a stream had to send its body again from the start (Notice.Again), including redirects
	Withheld           uint64 // suppressed retries: the server may have processed a request that is not idempotent
	ShortBodies        uint64 // bodies shorter than the announced length
	LongBodies         uint64 // bodies longer than the announced length; the excess was not sent
	Refused            uint64 // requests that a server refused (REFUSED_STREAM)
	GoneAway           uint64 // connections on which a server sent GOAWAY
	Redirects          uint64 // redirects followed
	Failed             uint64 // attempts that ended before CONNECTED
	Unanswered         uint64 // of Failed, those without a response in time; and requests repeated for that reason
	Silent             uint64 // client connections of HTTP/1.1 on which no byte moved for svalidhup
	ShortLived         uint64 // connections counted as failed attempts: they received no payload and ended early
	Postponed          uint64 // Connect and RequestTx calls postponed until the backoff delay had passed
	GivenUp            uint64 // times that ALL_RETRIES_FAILED was delivered
	Transactions       uint64 // HTTP transactions served
	FellBack           uint64 // WebSockets opened over HTTP/1.1 because the server does not accept them over HTTP/2
	Uncompressed       uint64 // attempts without permessage-deflate, after a malformed answer to it
	Illegal            uint64 // moves that are not in the table: bugs
	Malformed          uint64 // multipart bodies of peers that violated the format or the limits
	Misuse             uint64 // callbacks that broke the rules of Stream
	MemoryRefused      uint64 // requests, responses and bodies refused because their memory share was used up
	ValuesRefused      uint64 // attempts that failed on a metadata value not allowed in endpoint or http_url
	WrongThread        uint64 // calls of a Handle's methods from another goroutine, with Config.CheckThread
}

// Info describes the stream that Create makes.
type Info struct {
	// StreamType is a name in the policy.
	StreamType string
	// New returns the program's side of the stream. For a server it is called once for the listener and once for
	// every accepted connection; Handle.Server distinguishes them.
	New func(h *Handle) Stream
	// ManualInitialTxCredit, unless 0, is how many bytes of body the peer may send at first. Handle.AddPeerTxCredit
	// grants more. It takes effect where the protocol has windows, which is h2.
	ManualInitialTxCredit int32
	// Certificates are the certificates of a TLS server, in place of those that the policy names: for programs that
	// load them from files or elsewhere. Handle.SetCertificates replaces them.
	Certificates []stdtls.Certificate
}
