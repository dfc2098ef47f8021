// Package rolestest is a transport that exists to test roles: a roles.Lower in memory.
//
// It answers "what does this role do with these bytes": it feeds an Upper whole, byte by byte or in
// seeded random pieces, serves it by the rules a real transport follows (Rx, Writable if wanted, again
// until nothing moves), and records what comes out. It can refuse room, and it overwrites bytes that a
// role has used, so that a view kept too long is seen. It is no network: there is no peer, no delay and
// no loss; package sim has those.
//
// Bytes enter through Feed and the Upper's Rx, and leave through Room and Commit into Out.
package rolestest
