package policy

import "time"

// SchemaVersion is the newest schema-version this parser understands. A document that asks for a newer
// one is refused.
const SchemaVersion = 1

// MaxDocument is the largest document Parse takes, in bytes. A policy with a dozen certificates is about
// 40 KB; a megabyte is far beyond any real one and still parses in milliseconds, so a policy fetched
// from a hostile place costs neither memory nor time worth speaking of.
const MaxDocument = 1 << 20

// MaxDepth is how deep objects and arrays may nest. The format itself needs six.
const MaxDepth = 16

// MaxValues is how many commas and opening brackets a document may have: there are no more values than these. The
// largest document of sense has some thousands, and each costs half a kilobyte while it is read.
const MaxValues = 1 << 16

// Policy is a whole policy document. It is immutable once Parse has returned it.
type Policy struct {
	Release       string // version of this policy, "" when not given
	Product       string // product it is meant for, "" when not given
	SchemaVersion int    // parser version the document asks for, 0 when not given
	ViaSocks5     string // [user:password@]host:port of a SOCKS5 proxy for client streams, "" for none

	// Definitions in the order of the document.
	Streams     []*Stream
	Retries     []*Retry
	Certs       []*Cert
	TrustStores []*TrustStore
	Auths       []*Auth
	Metrics     []*Metric

	byName map[string]*Stream
}

// Cert is one entry of the certs section: a certificate, a chain of them, or a private key. What kind it is
// shows where it is used.
type Cert struct {
	Name string
	DER  []byte // decoded; the certificates of a chain are concatenated
}

// TrustStore is a named set of trust anchors.
type TrustStore struct {
	Name  string
	Stack []*Cert // at least one, at most six
}

// Auth is one way to obtain and sign with an authentication token.
type Auth struct {
	Name       string
	Type       string // "sigv4", or anything else for a bearer token; "" when not given
	StreamType string // stream type that refreshes the token, "" when not given
	Blob       int    // index 0..3 of the system blob which holds the token, -1 when not given
}

// Metric is one entry of the metrics section: what is reported, how often, to which stream type.
type Metric struct {
	Name       string
	Schedule   time.Duration // interval between reports
	HalfLife   time.Duration // decay of the running figures
	MinOutlier uint8         // number of samples before outliers are detected
	Report     string        // stream type the report goes to
}

// Stream returns the stream type of that exact name, nil when there is none. It also serves a Policy that
// was put together in Go, without a document.
func (p *Policy) Stream(name string) *Stream {
	if p.byName != nil {
		return p.byName[name]
	}
	for _, s := range p.Streams {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Nearest returns the name of the stream type that a misspelt name most likely meant, "" when none is near.
func (p *Policy) Nearest(name string) string {
	budget := nearBudget
	n := suggestion{wanted: name, budget: &budget}
	for _, s := range p.Streams {
		n.offer(s.Name)
	}
	return n.best
}
