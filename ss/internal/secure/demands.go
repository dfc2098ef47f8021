package secure

import (
	stdtls "crypto/tls"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/tls"
)

// demands returns the lowest version and the key exchanges that a stream type allows; zero values mean the defaults.
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

// ALPN returns the protocol names that streams of a type offer or accept over TLS, best first (RFC 7301 s.6); nil for
// none. A stream type of h2 also takes HTTP/1.1, where each of its streams needs a connection. The caller must not
// change the slice.
func ALPN(p *policy.Stream) []string {
	switch p.Protocol {
	case policy.H1:
		return ALPNH1
	case policy.WS:
		if !p.WS.OverH2 {
			return ALPNH1
		}
		return alpnH2
	case policy.H2:
		return alpnH2
	}
	return nil
}

// ALPNH1 is ALPN of a stream type that speaks only HTTP/1.1.
var ALPNH1 = []string{"http/1.1"}

var alpnH2 = []string{"h2", "http/1.1"}
