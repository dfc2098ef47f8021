package tls

import (
	"errors"
	"fmt"

	stdtls "crypto/tls"
)

// smallGroups are the groups of a ClientHello that must fit into one packet: the key share of X25519MLKEM768 adds 1.2
// KB, and some middleboxes drop such packets.
var smallGroups = []stdtls.CurveID{stdtls.X25519, stdtls.CurveP256, stdtls.CurveP384, stdtls.CurveP521}

// ErrSilent: the server did not answer our ClientHello. If the configuration names no groups, the Client's next
// handshake offers no group with a large key share; if that is not answered either, the one after it offers all
// groups again. The Client remembers the hello that was answered. An attacker who can drop packets can cause the
// fallback, so a configuration that requires a post-quantum exchange must name its groups.
var ErrSilent = errors.New("no answer to the ClientHello")

// markSilent records that a handshake ended without any byte from the server.
func (e *endpoint) markSilent(err error) error {
	if e.fallback != nil {
		e.conf, e.fallback = e.fallback, e.conf
	}
	return fmt.Errorf("%w: %w", ErrSilent, err)
}
