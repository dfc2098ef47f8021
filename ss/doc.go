// Package ss is Secure Streams: payload in and out by the name of a stream type.
//
// A program creates a stream of a type that the policy describes, and implements Stream: three
// callbacks that receive payload, produce payload, and learn what became of the stream. Endpoint,
// protocol, trust and retries are the policy's business. A Handle is one stream; it outlives the
// connections that carry it.
//
// Data enters through Runtime.Create and the methods of Handle, and from the network by way of the
// protocol bindings (one file each); it leaves through the Stream's callbacks, all on the loop's
// goroutine. Calls on a Handle mark what is wanted and return; what follows happens before the turn
// is over. Only Create itself delivers a state (CREATING) before it returns.
//
// The package parses no policy and no protocol, and opens no socket: see policy, roles and wsi.
// Names and numbers of states and return codes are libwebsockets'.
package ss
