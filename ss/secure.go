package ss

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// security is what a runtime's TLS streams share, made when the first of them is created.
type security struct {
	rt      *Runtime
	shared  *tls.Shared
	task    loop.Task
	timer   loop.Timer // for sessions that go quiet
	stores  map[*policy.TrustStore]*tls.TrustStore
	clients map[clientKey]*tls.Client
	certs   map[int]*blobCert
	closing bool
}

// handshakeShare is the part of the account that handshakes may hold: a peer that begins many must leave room for
// what established connections hold.
const handshakeShare = 4

// clientKey is what two endpoints must have in common to be judged, and addressed, alike.
type clientKey struct {
	store   *policy.TrustStore
	name    string
	alpn    string              // offered, separated by commas
	cert    *stdtls.Certificate // ours, nil for none
	version string
	groups  string
}

func (r *Runtime) security() *security {
	if r.secure != nil {
		return r.secure
	}
	s := &security{
		rt:      r,
		stores:  make(map[*policy.TrustStore]*tls.TrustStore),
		clients: make(map[clientKey]*tls.Client),
		certs:   make(map[int]*blobCert),
	}
	c := r.cfg.TLS
	c.Wall = r.loop.System().Wall
	c.Now = r.loop.Now
	c.TakeStep = r.loop.TakeHandshake
	c.Kick = func() { r.loop.Defer(&s.task, s) }
	c.Arm = func(at time.Duration) {
		if !s.closing {
			r.loop.Arm(&s.timer, at, s)
		}
	}
	if c.Memory == 0 {
		c.Memory = int(r.loop.Account().Ceiling() / handshakeShare)
	}
	if b := tls.BuildTime(); c.Floor.Before(b) {
		c.Floor = b
	}
	s.shared = tls.New(c)
	s.shared.SetTicketKeys(r.tickets)
	r.secure = s
	return s
}

// RunTask implements loop.Runner: handshakes that this turn had no more time for go on in the next. On a
// closed runtime they end. Both must happen inside a turn, since coroutines care for the thread they are on.
func (s *security) RunTask(time.Duration) {
	if s.closing {
		s.shared.Close()
		return
	}
	s.shared.Turn()
}

// Expired implements loop.Expirer.
func (s *security) Expired(now time.Duration) { s.shared.Timeout(now) }

// close ends the handshakes that are under way, at the end of the turn.
func (s *security) close() {
	s.closing = true
	s.rt.loop.Disarm(&s.timer)
	s.rt.loop.Defer(&s.task, s)
}

// Label names the task and the timer in reports.
func (s *security) Label() string { return "TLS" }

// TLS is what the runtime's TLS sessions share, nil before the first TLS stream was created.
func (r *Runtime) TLS() *tls.Shared {
	if r.secure == nil {
		return nil
	}
	return r.secure.shared
}

// SetTicketKeys has servers seal and open session tickets with k from the next handshake on. Loops of one
// process, or processes of one service, that use the same keys resume each other's sessions. nil leaves
// it to crypto/tls, which changes its keys every day.
func (r *Runtime) SetTicketKeys(k *tls.TicketKeys) {
	r.tickets = k
	if r.secure != nil {
		r.secure.shared.SetTicketKeys(k)
	}
}

// demands are the least version and the key exchanges that a stream type names; zero for the defaults.
func demands(p *policy.Stream) (version uint16, groups []stdtls.CurveID, err error) {
	if version, err = tls.ParseVersion(p.TLSMinVersion); err != nil {
		return 0, nil, err
	}
	for _, name := range p.TLSGroups {
		g, err := tls.ParseGroup(name)
		if err != nil {
			return 0, nil, err
		}
		groups = append(groups, g)
	}
	return version, groups, nil
}

// alpnOf are the protocol names that streams of a type speak over TLS, best first (RFC 7301 s.6). A stream type
// of h2 makes do with HTTP/1.1, where its streams go one after another.
func alpnOf(p *policy.Stream) []string {
	switch p.Protocol {
	case policy.H1:
		return alpnH1
	case policy.WS:
		if !p.WS.OverH2 {
			return alpnH1
		}
		return alpnH2
	case policy.H2:
		return alpnH2
	}
	return nil
}

var alpnH1, alpnH2 = []string{"http/1.1"}, []string{"h2", "http/1.1"}

// Certificates are what the policy has servers of a stream type show: none, if it names none.
func Certificates(p *policy.Stream) (list []stdtls.Certificate, err error) {
	if len(p.ServerCerts) != len(p.ServerKeys) {
		return nil, fmt.Errorf("ss: certificates of stream type %q: %d in \"server_cert\", %d in \"server_key\"", p.Name, len(p.ServerCerts), len(p.ServerKeys))
	}
	for i, cert := range p.ServerCerts {
		key := p.ServerKeys[i]
		c, err := tls.ParseCertificate(cert.DER, key.DER)
		if err != nil {
			return nil, fmt.Errorf("ss: certificates of stream type %q: server_cert %q, server_key %q: %w", p.Name, cert.Name, key.Name, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// secureServer makes what a server stream type needs for TLS.
func (r *Runtime) secureServer(p *policy.Stream, certs []stdtls.Certificate) (_ *tls.Server, err error) {
	if certs == nil {
		if certs, err = Certificates(p); err != nil {
			return nil, err
		}
	}
	if len(certs) == 0 {
		return nil, errors.New(`a server with "tls" needs "server_cert" and "server_key", or Info.Certificates`)
	}
	c := tls.ServerConfig{Certificates: certs, ALPN: alpnOf(p)}
	if p.TrustStore != nil {
		// A server has nobody to trust but clients.
		if c.Clients, err = r.security().store(p.TrustStore); err != nil {
			return nil, err
		}
		c.Auth = tls.AuthRequired
	}
	if c.MinVersion, c.Groups, err = demands(p); err != nil {
		return nil, err
	}
	return tls.NewServer(r.security().shared, c)
}

// SetCertificates puts other certificates in place of a TLS server stream's, for connections that come
// from now on; those that stand are not touched. The client's wish (SNI) chooses among them, the first is
// for the rest. On an error nothing changes.
func (h *Handle) SetCertificates(list []stdtls.Certificate) error {
	if h.astray("SetCertificates") {
		return ErrWrongThread
	}
	return h.be.setCertificates(h, list)
}

// TLS tells what the handshake of the stream's present connection settled on; ok is false without one.
func (h *Handle) TLS() (s tls.State, ok bool) {
	return h.be.tlsState()
}

// secureClient finds what a client stream needs to reach name over TLS. known says whether name is the
// policy's endpoint, and not where a redirect leads: only there the client shows who it is.
func (r *Runtime) secureClient(p *policy.Stream, name string, known bool) (*tls.Client, error) {
	return r.secureClientALPN(p, name, known, alpnOf(p))
}

// secureClientALPN is secureClient with other protocols than those of the stream type.
func (r *Runtime) secureClientALPN(p *policy.Stream, name string, known bool, alpn []string) (*tls.Client, error) {
	s := r.security()
	key := clientKey{p.TrustStore, name, strings.Join(alpn, ","), nil, p.TLSMinVersion, strings.Join(p.TLSGroups, ":")}
	var err error
	if p.HasClientCert && known {
		if key.cert, err = r.clientCert(int(p.ClientCert)); err != nil {
			return nil, err
		}
	}
	if c := s.clients[key]; c != nil {
		return c, nil
	}
	cfg := tls.ClientConfig{Name: name, ALPN: alpn, Certificate: key.cert}
	if p.TrustStore != nil {
		if cfg.Store, err = s.store(p.TrustStore); err != nil {
			return nil, err
		}
	}
	if cfg.MinVersion, cfg.Groups, err = demands(p); err != nil {
		return nil, err
	}
	c, err := tls.NewClient(s.shared, cfg)
	if err != nil {
		return nil, err
	}
	if len(s.clients) >= clientsMax {
		clear(s.clients) // names made of metadata may be any number
	}
	s.clients[key] = c
	return c, nil
}

// clientsMax bounds the endpoints that are remembered for TLS. What is forgotten is made anew; sessions
// to resume are kept apart.
const clientsMax = 1024

// store makes a trust store of the policy's.
func (s *security) store(p *policy.TrustStore) (*tls.TrustStore, error) {
	if t := s.stores[p]; t != nil {
		return t, nil
	}
	var ders [][]byte
	for _, c := range p.Stack {
		ders = append(ders, c.DER)
	}
	t, err := tls.NewTrustStore(p.Name, ders)
	if err != nil {
		return nil, err
	}
	s.stores[p] = t
	return t, nil
}

// checkSecure says what is wrong with a TLS client stream type before any attempt. A certificate in blobs
// may yet come.
func (r *Runtime) checkSecure(p *policy.Stream) error {
	if p.HasClientCert && r.cfg.Blobs == nil {
		if _, err := r.clientCert(int(p.ClientCert)); err != nil {
			return err
		}
	}
	if p.TrustStore != nil {
		_, err := r.security().store(p.TrustStore)
		return err
	}
	return nil
}
