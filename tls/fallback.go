package tls

import (
	"errors"
	"fmt"

	stdtls "crypto/tls"
)

// smallGroups are what a ClientHello offers that shall fit one packet: the key share of X25519MLKEM768
// makes it 1.2 KB longer, which some middleboxes drop.
var smallGroups = []stdtls.CurveID{stdtls.X25519, stdtls.CurveP256, stdtls.CurveP384, stdtls.CurveP521}

// ErrSilent: the server did not answer our ClientHello. When the groups were left to the default, the
// Client's next handshake offers none that needs a large one, and goes back if that is not answered
// either: what was answered is remembered. Who can drop packets can bring that about, so those who insist
// on a post-quantum exchange name their groups.
var ErrSilent = errors.New("no answer to the ClientHello")

// unanswered notes that a handshake ended before the server had said anything.
func (e *end) unanswered(err error) error {
	if e.other != nil {
		e.conf, e.other = e.other, e.conf
	}
	return fmt.Errorf("%w: %w", ErrSilent, err)
}

// silent says whether a client has spoken and heard nothing.
func (h *handshake) silent() bool { return h.s.end.client && h.begun && !h.fed }
