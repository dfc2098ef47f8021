package roles

import "time"

// CloseMode says how a connection ends.
type CloseMode uint8

const (
	// Graceful sends all that was committed, then ends our direction, and reads (and drops) until the
	// peer ends its own or the linger time is over, so that no reset overtakes our last bytes
	// (RFC 9112 s.9.6).
	Graceful CloseMode = iota
	// Immediate gives the connection back at once. Bytes the system already took are still delivered;
	// bytes it refused are dropped.
	Immediate
	// Reset makes the peer see a reset, so that it cannot take what it got for complete.
	Reset
)

// Lower is the layer below a protocol layer. All methods may be called from inside an Upper's methods
// and from outside of them; none of them calls back into the Upper before it returns.
type Lower interface {
	// Room returns space in the output arena, at least min bytes (at most MaxRoom may be asked for, of
	// a transport of bytes MaxRecord),
	// or nil when the transport takes no more for now: then WantWrite, and try again in Writable.
	// It may be called outside of Writable too. The slice is valid until the next call on any Lower.
	Room(min int) []byte
	// Commit appends the first n bytes of the last Room to the output. What is committed is sent, in
	// order, unless the connection breaks.
	Commit(n int)
	// Cork opens the output for a Send: until Uncork, Room, Commit, Lendable and Lend work, from wherever Cork was called:
	// a callback of this connection or of another, or between the loop's turns. It reports whether the transport takes
	// anything now; false: nothing was opened, and WantWrite asks for Writable. Between Cork and Uncork no other
	// method of the Lower is called, and nothing of another connection; Corks do not nest.
	Cork() bool
	// Uncork sends what was lent since Cork and, outside of the connection's own callbacks, all that was committed. What
	// the system refuses of it is copied and held, so the lent memory is the caller's again.
	Uncork()
	// Lendable is how many bytes Lend takes for certain when there is framing of n bytes around them, which Room then
	// gives for certain too. It writes out what fills the output. 0: the transport takes nothing now, or cannot
	// send from the caller's memory, and Room says which.
	Lendable(n int) int
	// Lend appends b to the output without copying it, and returns how many of its bytes, from the front, were taken. Up
	// to Lendable bytes are taken whole, and sent by Uncork at the latest. Of more, as many are taken as the system
	// takes at once, if not all: then nothing may be committed behind them before the next Cork.
	Lend(b []byte) int
	// WantWrite asks for one Writable, when output can be taken. Asking twice is asking once.
	WantWrite()
	// Pause stops Rx. Bytes that have arrived wait, and the peer is stopped by flow control. The end
	// of the stream waits behind them.
	Pause()
	// Resume undoes Pause: what waits is offered again, not before the call that called Resume is over.
	Resume()
	// Credit says that n received payload bytes have left our hands, for transports that grant the
	// peer a window. Sockets ignore it.
	Credit(n int)
	// CloseWrite ends our direction after what was committed.
	CloseWrite()
	// Close ends both directions. Closed follows, with cause, before the turn is over. cause nil means
	// an orderly end. The first Close counts, but Immediate and Reset overtake Graceful.
	Close(mode CloseMode, cause error)
	// Replace puts another Upper in place of this one (an upgraded protocol). Bytes not used yet are
	// offered to it; Opened is called on it first, and Closed is not called on the old one.
	Replace(u Upper)
	// Rearm makes the owner call Deadline again. The owner also calls it after every call into the Upper; Rearm is for
	// deadlines that change between them.
	Rearm()
	// Wake asks for one Woken, when the connection is served next: in this turn if it is not being served now, and
	// its place in the turn is still to come; else in the next turn. Never before the present call returns. Woken
	// comes also while the Upper has paused and while the transport takes no output, but not before Opened and not
	// after Close. Asking twice is asking once.
	Wake()
	// Now is the time of this turn, the same that the Upper's methods get; between two turns it is the system's time.
	Now() time.Duration
	// Info describes what is below the Upper. It allocates nothing.
	Info() Info
	// Hold charges delta more bytes of memory to the connection, or takes some off that were charged before
	// when delta is negative: what the layer above holds beyond the present call on the peer's behalf. It
	// refuses nothing. All must be taken off before Closed returns.
	Hold(k Kind, delta int)
	// MayHold reports whether n more bytes of a kind may be held, by the connection and by all of them
	// together. When they may not, a layer refuses what would need them by its protocol's own means, or gives no
	// window for it.
	MayHold(k Kind, n int) bool
}

// Kind is what memory is held for. Each has its share of what a loop may hold, so that one kind of peer does not
// use up what the others need.
type Kind uint8

const (
	// HoldOther is what belongs to no connection, and what has no kind of its own.
	HoldOther Kind = iota
	// HoldInput is input that a protocol has not used yet.
	HoldInput
	// HoldOutput is output that a socket, or a TLS session's transport, has refused.
	HoldOutput
	// HoldBody is what HTTP/2 keeps for its handlers: bodies and trailers.
	HoldBody
	// HoldTunnel is the same for what runs over an HTTP/2 stream, in both directions.
	HoldTunnel
	// HoldInflater is decompression that is under way.
	HoldInflater
	// HoldHandshake is TLS handshakes under way.
	HoldHandshake
	// HoldHead is heads: such as come in pieces, those that a program may still read, control frames that wait.
	HoldHead
	// HoldPart is what taking multipart bodies apart needs.
	HoldPart
	// HoldProgram is what the program above keeps for its streams, as far as it says so.
	HoldProgram
	// HoldSession is what a connection keeps for as long as it lasts: a tls.Conn, what a compressed message
	// may refer to. It says nothing of whether the peer has stalled.
	HoldSession
	// HoldStream is the further streams of an HTTP/2 connection, which last as well.
	HoldStream
	// Kinds is how many kinds there are.
	Kinds
)

var kindNames = [Kinds]string{"other", "input", "output", "bodies", "tunnels", "inflaters", "handshakes", "heads", "parts", "programs", "sessions", "streams"}

// String names the kind as a report does.
func (k Kind) String() string { return kindNames[min(k, Kinds-1)] }

// Lasting reports whether bytes of the kind are held for as long as the connection lasts, and not until the peer, or
// the program, makes progress.
func (k Kind) Lasting() bool { return k >= HoldSession }

// HangUpWatcher is an Upper that wants to know at once that its peer has ended its direction, though it has paused and
// has bytes still to take.
type HangUpWatcher interface {
	// HungUp is called at most once, while the Upper has paused; RxEnd follows as ever, after those bytes. Without a
	// pause there is RxEnd alone.
	HungUp(now time.Duration)
}

// Labelled is an Upper, or a handler of one, that names itself in reports.
type Labelled interface {
	// Label names the connection by its protocol, or by the stream that it serves.
	Label() string
}

// LendMin is the least payload that is worth lending. Fewer bytes are cheaper to copy than to be sent by a system call of
// their own.
const LendMin = 4 << 10

// MaxRoom is the most that Room can be asked for: one TLS record's payload.
const MaxRoom = 16 << 10

// MaxRecord is MaxRoom and what TLS of any version puts around it.
const MaxRecord = MaxRoom + 128

// Upper is a protocol standing on a Lower. A transport calls it from one goroutine and never while
// another call of the same connection is in progress.
type Upper interface {
	// Opened says that bytes can flow. It is the first call, apart from a Closed that comes instead
	// of it when the transport could not be established.
	Opened(now time.Duration)
	// Rx offers the bytes received and not used so far, in order, and returns how many it used. The
	// rest is offered again: with more behind it, or after Resume. b may be changed in place and is
	// not kept. Using nothing without pausing means that more bytes are needed.
	Rx(now time.Duration, b []byte) (used int)
	// RxEnd says that the peer has ended its direction in order. unused is how many bytes Rx left.
	RxEnd(now time.Duration, unused int)
	// Writable answers WantWrite: Room has at least MaxRoom to give.
	Writable(now time.Duration)
	// Woken answers Wake.
	Woken(now time.Duration)
	// Deadline is when Timeout should be called; 0 for never.
	Deadline() time.Duration
	// Timeout says that the deadline has passed.
	Timeout(now time.Duration)
	// Closed is the last call. cause is nil after an orderly end: our own Close(mode, nil).
	Closed(cause error)
}
