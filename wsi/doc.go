// Package wsi is one connection, and what connections share.
//
// A Wsi (the name is libwebsockets': "websocket instance", kept because the field knows it) is a
// descriptor, the protocol that stands on it, and one timer. A Net is what the connections of one
// loop have in common: the receive buffer, the output arena, parked bytes and their account, the
// resolver, the counters.
//
// Bytes enter through Wsi.Ready when the loop says so, are read into the shared buffer and offered to
// the roles.Upper as they lie; what it leaves is parked in a buffer of the connection's own. Bytes
// leave through the methods of roles.Lower: space in the arena, committed, written in one system call
// when the connection has been served; what the socket refuses is kept and nothing overtakes it.
//
// The package knows no protocol, no policy and no stream. It makes connections (Net.Dial, Net.Listen)
// and ends them; why they exist is its caller's business.
package wsi
