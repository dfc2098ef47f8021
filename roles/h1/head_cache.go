package h1

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles/http"
)

// memo is the request head that came last, with what was made of it. Clients that keep a connection, and
// fleets that run one firmware, say the same words again: of 150 octets, comparing takes 14 ns and reading 400.
// What a head means depends on its octets and the limits alone, so nobody can tell.
type headCache struct {
	head   []byte // empty: there is none
	msg    http.Message
	fields []http.Field
	missed uint   // heads that were not this one
	hint   uint64 // of one of them
}

const (
	// headCacheMax is the longest head that is remembered.
	headCacheMax = 1024
	// headCacheTry is how many heads go by between two that are looked at: where each is another, looking at
	// all of them would add a twelfth to reading them.
	headCacheTry = 8
)

// match returns how many octets in front of b are the remembered head, or 0.
func (o *headCache) match(b []byte) int {
	n := len(o.head)
	if n == 0 || len(b) < n || string(b[:n]) != string(o.head) {
		return 0
	}
	return n
}

// offer is told of a head that was read and found good. If one looks like the one looked at before, it
// takes the place of what is remembered: of a crowd in which each says something else none is worth the
// copy.
func (o *headCache) offer(sh *Shared, head []byte, m *http.Message) {
	if o.missed++; o.missed%headCacheTry != 0 || len(head) > headCacheMax || m.Length != 0 || m.Upgrade != nil {
		return
	}
	if h := fingerprint(head); h != o.hint {
		o.hint = h
		return
	}
	o.head = append(o.head[:0], head...)
	var s scan
	o.msg.Fields = o.fields
	if n, f := s.section(sh, requestHead, &o.msg, o.head); n != len(o.head) || f != nil {
		o.head = o.head[:0]
		return
	}
	o.fields = append(o.fields[:0], o.msg.Fields...)
	o.msg.Fields = o.fields
	// A head that only a Unix socket accepts is not remembered: the memo serves all connections.
	if f := request(sh, &o.msg, false); f != nil {
		o.head = o.head[:0]
	}
}

// fingerprint mixes the length and the words of a head. It need only tell most pairs of heads apart:
// match compares all octets.
func fingerprint(b []byte) uint64 {
	h := uint64(len(b))
	for i := 0; i+8 <= len(b); i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(b[i:])) * 0x9e3779b97f4a7c15
	}
	return h ^ h>>32
}
