// Package rolestest is a transport in memory, a roles.Lower, for tests of roles.
//
// It gives an Upper its input whole, byte by byte or in random pieces from a seed, serves it by the rules of a real
// transport (Rx, then Writable if wanted, again until nothing changes), and records the output. It can refuse room. It
// overwrites the bytes that a role has used, which shows a view that is kept too long. It is not a network: it has no
// peer, no delay and no loss; package sim has those.
//
// Input enters through Feed and reaches the Upper through Rx. Output leaves through Room and Commit to Out.
package rolestest
