package h1

import (
	"encoding/binary"

	"github.com/millrace/millrace/roles/http"
)

// headCache holds one request head with its parsed form. A client on a kept connection, or a fleet of equal devices, sends
// the same head again: for 150 bytes a comparison takes 14 ns, parsing 400 ns. The result is the same, since the parsed
// form depends only on the bytes and the limits.
type headCache struct {
	head   []byte // empty if the cache is empty
	msg    http.Message
	fields []http.Field
	missed uint   // number of heads that did not match
	hint   uint64 // fingerprint of the last of them that offer looked at
}

const (
	// headCacheMax is the length of the longest head that the cache holds.
	headCacheMax = 1024
	// headCacheTry is how often offer looks at a head that did not match: at one of 8. Looking at each would make parsing
	// a twelfth slower if all heads differ.
	headCacheTry = 8
)

// match returns the length of the cached head if b starts with it, or 0.
func (o *headCache) match(b []byte) int {
	n := len(o.head)
	if n == 0 || len(b) < n || string(b[:n]) != string(o.head) {
		return 0
	}
	return n
}

// offer offers a legal head that did not match. The cache takes it if it looks like the head that offer looked at before:
// if all heads differ, none is worth a copy.
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
	// The cache serves all connections, so it does not hold a head that is legal only on a Unix socket.
	if f := request(sh, &o.msg, false); f != nil {
		o.head = o.head[:0]
	}
}

// fingerprint returns a hash of a head. It need not be collision-free, since match compares all bytes.
func fingerprint(b []byte) uint64 {
	h := uint64(len(b))
	for i := 0; i+8 <= len(b); i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(b[i:])) * 0x9e3779b97f4a7c15
	}
	return h ^ h>>32
}
