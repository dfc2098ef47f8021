// Package wsi implements connections on a loop.
//
// A Wsi is a descriptor, the protocol on it, and one timer. (The name is from libwebsockets: "websocket instance".) A
// Net has what the connections of one loop share: the receive buffer, the output arena, stored bytes and their
// account, the resolver, the counters.
//
// When the loop calls Wsi.Ready, input is read into the shared buffer and offered to the roles.Upper in place; the
// bytes that it does not use are stored in a buffer of the connection. Output is written with the methods of
// roles.Lower: they return space in the arena, commit it, and write it in one system call when the connection has
// been served. Output that the socket refuses is stored, and no later output overtakes it.
//
// The package knows no protocol, no policy and no stream. It makes connections (Net.Dial, Net.Listen) and ends them
// for its caller.
package wsi
