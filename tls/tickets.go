package tls

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
)

// ticketGenerations is how many keys are taken: the one in use and those before it.
const ticketGenerations = 4

// TicketKeys are the keys by which servers seal session tickets: an immutable snapshot that the loops of
// a process may share. Who holds one can read the traffic of sessions resumed without a new key
// exchange, of which there are none here, and impersonate their clients: rotate them.
type TicketKeys struct {
	keys [][32]byte // newest first
}

// Rotate returns keys with a new one, read from rand, in front of those of k, of which it keeps the last
// three: call it as often as a ticket shall live at the most, divided by three. k may be nil.
func (k *TicketKeys) Rotate(rand io.Reader) (*TicketKeys, error) {
	n := &TicketKeys{keys: make([][32]byte, 1, ticketGenerations)}
	if _, err := io.ReadFull(rand, n.keys[0][:]); err != nil {
		return nil, fmt.Errorf("tls: make ticket key: %w", err)
	}
	if k != nil {
		n.keys = append(n.keys, k.keys[:min(len(k.keys), ticketGenerations-1)]...)
	}
	return n, nil
}

// scoped derives keys for servers with the same demands.
func (k *TicketKeys) scoped(scope string) [][32]byte {
	out := make([][32]byte, len(k.keys))
	for i := range k.keys {
		b, err := hkdf.Key(sha256.New, k.keys[i][:], nil, "millrace ticket "+scope, 32)
		if err != nil {
			panic("tls: derive ticket key: " + err.Error()) // only for more output than the hash can give
		}
		copy(out[i][:], b)
		clear(b)
	}
	return out
}
