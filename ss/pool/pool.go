package pool

import (
	"errors"

	"github.com/millrace/millrace/internal/list"
)

// ErrRefused is the cause of a request that the server refused on one connection after another: see MaxRefusals.
var ErrRefused = errors.New("the server accepts no requests, on any connection")

// MaxRefusals is how often a request may be refused before it fails with ErrRefused: enough for a server that
// restarts behind a load balancer, too few for one that refuses everything.
const MaxRefusals = 4

// Request is implemented by the type that embeds a Ticket: it needs an exchange.
type Request interface {
	// Unreachable is called when the pool has no connection for the request and will not make one.
	Unreachable(cause error)
}

// Link is implemented by the type that embeds a Conn: a connection.
type Link[R any] interface {
	// Serve starts an exchange for the request. After an error the pool ends the connection.
	Serve(r R) error
	// Free is the number of exchanges that can be started now.
	Free() int
	// Multiplexed reports whether the connection carries several exchanges at a time. It may be false until the
	// connection is up.
	Multiplexed() bool
	// Endless reports whether the exchange in progress may never end, so that no request should wait for its end.
	Endless() bool
	// Useful reports whether the server has processed a request, or has promised to, though no response was received.
	Useful() bool
	// BytesIn is the number of bytes received so far.
	BytesIn() uint64
	// Probe makes the peer send something, for example by a PING.
	Probe()
	// Idle is called when the connection becomes warm.
	Idle()
	// End closes the connection. up reports whether it was established and not about to end. Conn.Closed follows
	// later, not before End returns.
	End(up bool)
}

// Config configures a Pool.
type Config[K comparable, L Link[R], R Request] struct {
	// Dial makes a connection on route, for request or on its behalf, calls Conn.Init on its entry, starts to connect
	// it, and returns the entry. The outcome is reported later, not before Dial returns. alone reports that
	// the connection is for this request only: once it is up, the pool calls Link.Serve with the request. Required.
	Dial func(route *Route[K, L, R], request R, alone bool) *Conn[K, L, R]
	// MaxShared is how many connections the requests of a shared route make while the peer's limit of exchanges on
	// the existing ones is reached. At least 1.
	MaxShared int
	// MaxWarm is how many warm connections the pool keeps, over all routes. 0 or less: none.
	MaxWarm int
}

// Pool holds the connections of one runtime. Init sets it up.
type Pool[K comparable, L Link[R], R Request] struct {
	cfg    Config[K, L, R]
	routes map[K]*Route[K, L, R]
	warm   list.List[warmEntry[K, L, R], *warmEntry[K, L, R]] // in the order in which they became warm
	issued uint64                                             // tickets, ever
	made   uint32                                             // connections, ever
	closed bool
}

// Route holds the connections of requests with one key, and the queue of requests without an exchange.
//
// On a route that is not shared each request has a connection of its own, which the next one reuses: conns are
// the free ones, the one used last first. On a shared route conns are all that accept exchanges or may later, the
// oldest first. One is made for the first request, and the others wait for it; a further one is made when the peer's
// limit leaves no room, up to Config.MaxShared. A connection of a shared route that turns out to carry one exchange at
// a time serves one request after another.
type Route[K comparable, L Link[R], R Request] struct {
	pool   *Pool[K, L, R]
	key    K
	conns  list.List[Conn[K, L, R], *Conn[K, L, R]]
	queue  list.List[Ticket[K, L, R], *Ticket[K, L, R]] // in the order of numbers
	refs   int                                          // connections that are not gone, and requests that wait
	shared bool
}

// phase is what a connection waits for.
type phase uint8

const (
	connecting phase = iota // to be established
	up                      // for exchanges
	leaving                 // for the end of the exchanges in progress: none is started any more
	gone                    // closed
)

// Conn is the entry of a connection in its pool. It is embedded in the connection, which reports its events to it.
type Conn[K comparable, L Link[R], R Request] struct {
	list.Links[Conn[K, L, R]]
	route    *Route[K, L, R]
	link     L
	only     R // while reserved: the request that the connection is made for
	warmth   warmEntry[K, L, R]
	heard    uint64 // bytes received when it became suspect
	id       uint32
	users    int32
	phase    phase
	reserved bool
	listed   bool
	warm     bool
	used     bool // an exchange was started on it
	answered bool // a response was received on it
	suspect  bool // nothing was received since heard
	left     bool // it was leaving when it was closed
}

// Ticket is a request's place in the queue of its route. It is embedded in the request.
type Ticket[K comparable, L Link[R], R Request] struct {
	list.Links[Ticket[K, L, R]]
	request  R
	route    *Route[K, L, R] // nil while the request does not wait
	number   uint64          // orders the queue
	refusals uint8           // since Issue
}

// Init sets up the pool. Call it first.
func (p *Pool[K, L, R]) Init(c Config[K, L, R]) {
	p.cfg, p.routes = c, make(map[K]*Route[K, L, R])
	p.cfg.MaxShared = max(p.cfg.MaxShared, 1)
}

// Warm returns the number of warm connections.
func (p *Pool[K, L, R]) Warm() int { return p.warm.Len() }

// Routes returns the number of keys that have a connection or a waiting request.
func (p *Pool[K, L, R]) Routes() int { return len(p.routes) }

// Route returns the route of a key. shared reports whether its connections may carry several exchanges at a time; it
// is the same for all requests with that key. The route is valid until the caller returns to the loop, unless a
// request waits on it or a connection belongs to it.
func (p *Pool[K, L, R]) Route(key K, shared bool) *Route[K, L, R] {
	r := p.routes[key]
	if r == nil {
		r = &Route[K, L, R]{pool: p, key: key, shared: shared}
		p.routes[key] = r
	}
	return r
}
