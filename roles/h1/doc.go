// Package h1 speaks HTTP/1.1 and HTTP/1.0, as a server and as a client.
//
// It answers "what do these bytes mean, and what may follow them" by the letter of RFC 9112, and refuses
// what two parties could read in two ways: a length given twice, a coding that does not end in chunked,
// a line end that is not CRLF, a folded or misspelt field. It has no socket, no clock and no goroutine,
// it does not route, decode, compress, cache or retry, and it holds no bytes: heads and chunk lines are
// parsed where they lie, and what is not complete is left with the transport until it is.
//
// A Server or a Client stands on a roles.Lower. Bytes come in through Rx and go on to an http.Handler as
// views of the same buffer; a handler's heads and bodies are written straight into the Lower's room. One
// Shared per loop holds a copy of the Config, counters, the scratch message and the pool of exchanges, so that an idle
// connection costs no more than its own small struct.
package h1
