// Package dial goes from a target (a host and port, or a Unix socket) to a connected socket: it resolves the name and
// tries the addresses in order, each for its share of the time that is left.
//
// A Dial is started with Start and reports to its Owner once: Connected, or DialFailed with an *Error that names each
// step that failed. It owns the descriptors of its attempts until the Owner moves the connected one to a Source of its
// own, so that later several attempts can run at once. Cancel ends a Dial at any time and closes what it holds.
//
// The package knows no protocol and no connection: what happens on the socket afterwards is package wsi's. Names are
// resolved by a Resolver; Hosts is the one that knows localhost and a hosts file.
package dial
