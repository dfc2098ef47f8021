// Package dial connects a socket to a target (a host and port, or a Unix socket): it resolves the name and tries the
// addresses in order, each for its share of the remaining time.
//
// Start starts a Dial. It reports to its Owner once: Connected, or DialFailed with an *Error that lists each failed
// step. The Dial owns the descriptors of its attempts until the Owner moves the connected one to its own Source, so
// that a later version can run several attempts at once. Cancel ends a Dial at any time and closes its descriptors.
//
// The package knows no protocol: package wsi owns the socket after the dial. A Resolver resolves names; Hosts is the
// Resolver for localhost and a hosts file.
package dial
