// Package sim answers: what would this program do on a bad network, on a bad day, and again
// exactly so tomorrow?
//
// A Network holds hosts, the links between them, one virtual clock and one source of chance. Each
// Host is a loop.System, so a reactor and everything above it run on it unchanged. It has the
// descriptors, the edge-triggered readiness and the errors of Linux sockets; faults (Options) come
// from the seed, or from a script (Partition, Kill, Reset, At). Bytes enter by Host.Write on one
// host and leave by Host.Read on another; nothing touches a real socket, a real clock or another
// goroutine, so one seed and one program give one run, bit for bit (Digest, Trace).
//
// It does not model packets, congestion control, TIME_WAIT or datagrams: a connection is two ordered
// flows of bytes between bounded buffers. Time passes only in Host.Wait, in Network.Run, which
// drives several loops on the one clock, and in Advance.
package sim
