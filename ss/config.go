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

// What a Runtime is made of, and what it counts.

// Config is what a Runtime is made of.
type Config struct {
	// Multipart bounds the multipart bodies that are taken apart ("http_multipart_ss_in"), of requests and responses.
	Multipart multipart.Limits
	// Loop drives everything. Required.
	Loop *loop.Loop
	// Policy says what stream types there are. Required.
	Policy *policy.Policy
	// Net configures the connections.
	Net wsi.Config
	// H1 holds limits and timeouts of HTTP/1.1; nil means h1.DefaultConfig. It is copied.
	H1 *h1.Config
	// WS is what WebSocket connections take their limits, timeouts and terms of compression from; nil means the
	// defaults. Whether messages are compressed the policy says.
	WS *ws.Config
	// H2 configures the connections of HTTP/2; nil means h2.DefaultConfig. New copies it.
	H2 *h2.Config
	// Log takes what an operator should know, callbacks that hold the loop for too long too (loop.Config.Slow) unless
	// the loop has an OnSlow. Default: nothing is logged. The handler must not block: see LogRing.
	Log *slog.Logger
	// KeepWarm is how long a client connection that can serve again waits for the next stream with the
	// same endpoint. Default 5 s; negative: such connections are closed.
	KeepWarm time.Duration
	// WarmMax is how many of them may wait, all endpoints together. Default 64; negative: none.
	WarmMax int
	// SharedMax is how many connections streams of protocol h2 make to one endpoint when the server takes no
	// more exchanges on the first. Streams beyond them wait in order. Default 2.
	SharedMax int
	// IdleStreams is how many streams of an accepted HTTP/2 connection wait for its next requests at any rate. Those
	// that more requests at a time have needed end when they have had nothing to do for a few seconds.
	// Default 4; negative: none.
	IdleStreams int
	// HalfClosed is how long a raw stream whose peer has ended its direction may give nothing before its connection is
	// ended. It is told of that end by an empty Rx with EOM, and should say itself when it is done, by
	// LWSSSSRET_DISCONNECT_ME or Disconnect: a peer that is gone looks like one that waits for more. Default 10 s, in
	// which an answer can be computed; negative: never.
	HalfClosed time.Duration
	// Grace is how long Run lets transactions that have begun go on when the program is to end. Default 10 s; negative:
	// they are cut at once. The runtime itself does not use it.
	Grace time.Duration
	// Backlog of listening sockets; 0 is the system's largest.
	Backlog int
	// ReusePort lets several processes or loops listen on one port: see loop.ListenOptions.
	ReusePort bool
	// TLS configures sessions: limits, and the time that is certainly past (Floor). Its clock, steps and
	// memory are the loop's, whatever it says of them.
	TLS tls.Config
	// ClientCerts are the certificates, with keys, that the policy's client_cert counts. What it counts
	// beyond them comes from Blobs.
	ClientCerts []stdtls.Certificate
	// Blobs are the device's own values, to which policies refer: see device.BlobID. nil: there are none.
	Blobs device.Blobs
	// Observe sees every state before its stream does. For tests and monitors; it must not call back.
	Observe func(h *Handle, s State, n Notice)
	// Cookies is for streams with "http_cookies".
	Cookies device.Cookies
	// SocksProxy is the SOCKS5 proxy that client streams go through where the policy names none, as in
	// "[user:password@]host:port"; "" for none. A program that obeys the environment gives the value of
	// socks_proxy, since the library reads no environment. This release does not speak SOCKS5: Create refuses
	// the streams that would need it, so that none of them goes out directly.
	SocksProxy string
	// PanicOnIllegal makes a move that is not in the table a panic instead of a log line and a count, and so with what
	// CheckThread finds. Tests set it.
	PanicOnIllegal bool
	// CheckThread looks with each call of a Handle's methods whether it comes from the loop's thread: calls from other
	// goroutines do nothing, or worse. They are logged and counted (Counters.WrongThread) with it, and answered with
	// LWSSSSRET_SS_HANDLE_DESTROYED or ErrWrongThread. It costs a system call per method, on Linux alone, and needs
	// a loop whose goroutine is locked to its thread: see loop.WatchThread. For debugging; tests set it.
	CheckThread bool
}

// Counters count what streams did. They are plain numbers: read them on the loop's goroutine.
type Counters struct {
	Created, Destroyed uint64 // handles, accepted ones included
	Attempts           uint64 // connection attempts of client streams, those on a warm connection included
	Warm               uint64 // attempts that found a warm connection
	Shared             uint64 // attempts that joined a connection in use, or followed on it
	Repeated           uint64 // requests made again within their attempt: the server had not acted on them, or the method allows it
	Rewound            uint64 // times a stream was asked for its body from the beginning (Notice.Again), for a redirect too
	Withheld           uint64 // retries that were not made: the server may have acted on a request that is not idempotent
	ShortBodies        uint64 // bodies that their stream ended before the length that was announced
	LongBodies         uint64 // bodies for which their stream had more to give than was announced
	Refused            uint64 // requests that a server refused to take up (REFUSED_STREAM)
	GoneAway           uint64 // connections on which a server said that it takes no more (GOAWAY)
	Redirects          uint64 // redirects that were followed
	Failed             uint64 // attempts that ended before CONNECTED
	Unanswered         uint64 // of Failed, those that the server did not answer in time; and requests made again for it
	Silent             uint64 // client connections of HTTP/1.1 on which no byte moved for svalidhup
	ShortLived         uint64 // connections that count as failed attempts: they brought no payload, and soon ended
	Postponed          uint64 // Connect and RequestTx calls that wait for the delay after the last failure
	GivenUp            uint64 // times ALL_RETRIES_FAILED was told
	Transactions       uint64 // HTTP transactions served
	FellBack           uint64 // WebSockets asked for over HTTP/1.1 since the server does not take them over HTTP/2
	Uncompressed       uint64 // attempts without permessage-deflate since the server's answer to it was malformed
	Illegal            uint64 // moves that the table does not have: bugs
	Malformed          uint64 // multipart bodies of peers that broke the rules, or the limits
	Misuse             uint64 // callbacks that did what they may not do
	MemoryRefused      uint64 // requests, responses and bodies refused because the share of memory for what they need was used up
	ValuesRefused      uint64 // attempts that failed because of a metadata value that is not allowed in endpoint or http_url
	WrongThread        uint64 // calls of a Handle's methods from another goroutine, with Config.CheckThread
}

// Info says what to create.
type Info struct {
	// StreamType is a name in the policy.
	StreamType string
	// New makes the program's side of the stream. For a server it is called once for the listener and
	// again for every connection accepted; Handle.Server tells which.
	New func(h *Handle) Stream
	// ManualInitialTxCredit, unless 0, is how many bytes of body the peer may send at first. What it may
	// send beyond them is the program's to say: Handle.AddPeerTxCredit. It takes effect where the protocol
	// grants windows, which is h2.
	ManualInitialTxCredit int32
	// Certificates are what a TLS server shows, in place of those that the policy names: for programs that
	// have theirs from files or elsewhere. Handle.SetCertificates puts others in their place.
	Certificates []stdtls.Certificate
}
