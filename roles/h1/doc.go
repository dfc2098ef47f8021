// Package h1 implements HTTP/1.1 and HTTP/1.0, both ends of a connection.
//
// It follows RFC 9112 strictly and rejects each message that two recipients could interpret differently: a repeated
// length, a transfer coding that does not end in chunked, a line end other than CRLF, a folded or malformed field. It has
// no socket, no clock and no goroutine. It does not route, decode, compress, cache or retry. It stores no input: heads and
// chunk lines are parsed in place, and an incomplete one stays in the transport until the rest has come.
//
// A Server or a Client is the roles.Upper of a roles.Lower. Bytes enter through Rx and reach an http.Handler as views of
// the same buffer; the heads and bodies of the handler are written directly to the room of the Lower. One Shared per loop
// holds a copy of the Config, the counters, the scratch message and the pool of exchanges, so that an idle connection
// needs only its own small struct.
//
// Three state machines drive an exchange: serverTable, clientTable, and sendTable for the message that this end sends.
// docs/machines.md shows them.
package h1
