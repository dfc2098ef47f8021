package secure

import (
	stdtls "crypto/tls"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss/device"
	"github.com/millrace/millrace/tls"
)

// Contexts are the TLS contexts of a runtime. Its methods are for the loop's goroutine.
type Contexts struct {
	loop    *loop.Loop
	shared  *tls.Shared
	task    loop.Task
	timer   loop.Timer // for sessions that go quiet
	stores  stores
	clients map[clientKey]*client
	certs   clientCerts
	closing bool
}

// Config is the program's part of the contexts.
type Config struct {
	// TLS configures the sessions. Its clock and its memory are the loop's, whatever it has.
	TLS tls.Config
	// ClientCerts are the certificates with the first indices. Those with further ones are made of Blobs, which
	// may be nil.
	ClientCerts []stdtls.Certificate
	Blobs       device.Blobs
}

// clientKey is what two endpoints have in common that are trusted, and addressed, alike.
type clientKey struct {
	store   *policy.TrustStore
	name    string
	alpn    string              // offered, separated by commas
	cert    *stdtls.Certificate // ours, nil for none
	version string
	groups  string
}

// client is a client context.
type client struct {
	*tls.Client
	by *policy.Stream // used it last
}

// maxClients bounds the client contexts that are kept. A context that was dropped is made again; sessions to resume
// are kept elsewhere.
const maxClients = 1024

// handshakeShare is the part of the account that handshakes may hold: a peer that begins many must leave room for
// what established connections hold.
const handshakeShare = 4

// New makes the contexts of a runtime on l. tickets may be nil: see tls.Shared.SetTicketKeys.
func New(l *loop.Loop, c Config, tickets *tls.TicketKeys) *Contexts {
	s := &Contexts{
		loop:    l,
		stores:  make(stores),
		clients: make(map[clientKey]*client),
		certs:   clientCerts{given: c.ClientCerts, blobs: c.Blobs, made: make(map[int]*clientCert)},
	}
	t := c.TLS
	t.Wall = l.System().Wall
	t.Now = l.Now
	t.TakeStep = l.TakeHandshake
	t.Kick = func() { l.Defer(&s.task, s) }
	t.Arm = func(at time.Duration) {
		if !s.closing {
			l.Arm(&s.timer, at, s)
		}
	}
	if t.Memory == 0 {
		t.Memory = int(l.Account().Ceiling() / handshakeShare)
	}
	if b := tls.BuildTime(); t.Floor.Before(b) {
		t.Floor = b
	}
	s.shared = tls.New(t)
	s.shared.SetTicketKeys(tickets)
	return s
}

// Shared is what the sessions share.
func (s *Contexts) Shared() *tls.Shared { return s.shared }

// RunTask implements loop.Runner: it continues handshakes for which the turn before had no time left. After Close it
// ends them. Both must happen inside a turn, since a coroutine is bound to its thread.
func (s *Contexts) RunTask(time.Duration) {
	if s.closing {
		s.shared.Close()
		return
	}
	s.shared.Turn()
}

// Expired implements loop.Expirer.
func (s *Contexts) Expired(now time.Duration) { s.shared.Timeout(now) }

// Close ends the handshakes that are under way, at the end of the turn.
func (s *Contexts) Close() {
	s.closing = true
	s.loop.Disarm(&s.timer)
	s.loop.Defer(&s.task, s)
}

// Label names the task and the timer in reports.
func (s *Contexts) Label() string { return "TLS" }

// Prune drops the stores, contexts and certificates that were used last for a stream type for which used returns
// false. Streams keep those that they have.
func (s *Contexts) Prune(used func(*policy.Stream) bool) {
	for k, v := range s.stores {
		if !used(v.by) {
			delete(s.stores, k)
		}
	}
	for k, v := range s.clients {
		if !used(v.by) {
			delete(s.clients, k)
		}
	}
	for k, v := range s.certs.made {
		if !used(v.by) {
			delete(s.certs.made, k)
		}
	}
}

// Len returns how many trust stores, client contexts and certificates made of blobs are kept.
func (s *Contexts) Len() (stores, clients, certs int) {
	return len(s.stores), len(s.clients), len(s.certs.made)
}
