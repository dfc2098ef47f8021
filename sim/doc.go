// Package sim is a deterministic network simulator.
//
// A Network has hosts, the links between them, one virtual clock and one random source. Each Host is a loop.System,
// so a reactor and all code above it run on it unchanged. It has the descriptors, the edge-triggered readiness and
// the errors of Linux sockets. Faults come from the seed (Options) or from a script (Partition, Kill, Reset, At).
// Bytes enter by Host.Write on one host and leave by Host.Read on another. The package uses no real socket, no real
// clock and no other goroutine, so one seed and one program produce one run, bit for bit (Digest, Trace).
//
// It does not model packets, congestion control, TIME_WAIT or datagrams: a connection is two ordered flows of bytes
// between bounded buffers. Time passes only in Host.Wait, in Network.Run, which drives several loops on the one
// clock, and in Advance.
package sim
