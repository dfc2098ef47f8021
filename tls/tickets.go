package tls

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
)

// ticketGenerations is how many keys are accepted: the one in use and those before it.
const ticketGenerations = 4

// TicketKeys are the keys of session tickets: an immutable snapshot that the loops of a process may share. An
// attacker who has a key can impersonate the clients, and decrypt sessions resumed without a new key exchange (this
// package has none): rotate the keys.
type TicketKeys struct {
	keys [][32]byte // newest first
}

// Rotate returns keys with a new one, read from rand, before the last three of k. Call it three times per maximal
// lifetime of a ticket. k may be nil.
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

// scoped derives keys for servers with the same requirements.
func (k *TicketKeys) scoped(scope string) [][32]byte {
	out := make([][32]byte, len(k.keys))
	for i := range k.keys {
		b, err := hkdf.Key(sha256.New, k.keys[i][:], nil, "millrace ticket "+scope, 32)
		if err != nil {
			panic("tls: derive ticket key: " + err.Error()) // only if the output is too long for the hash
		}
		copy(out[i][:], b)
		clear(b)
	}
	return out
}
