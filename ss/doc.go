// Package ss implements Secure Streams: a program names a stream type and exchanges payload, nothing else.
//
// A program creates a stream of a type that the policy describes, and implements Stream: three callbacks that receive
// payload, produce payload, and receive the states of the stream. The policy decides about endpoint, protocol, trust
// and retries. A Handle is one stream; it outlives the connections that carry it.
//
// Data enters through Runtime.Create, through the methods of Handle, and from the network through the protocol
// bindings (one file each). It leaves through the callbacks of Stream, all on the loop's goroutine. A call on a
// Handle records a request and returns; the runtime carries it out before the turn ends. Only Create delivers a state
// (CREATING) before it returns.
//
// The package parses no policy and no protocol, and opens no socket: see policy, roles and wsi. States and return
// codes have libwebsockets' names and numbers.
package ss
