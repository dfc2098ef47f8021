package sim

import (
	"fmt"
	"hash/crc32"
	"math/bits"
	"syscall"

	"github.com/millrace/millrace/loop"
)

// op names a system call in the trace.
type op uint8

const (
	opListen op = iota
	opAccept
	opConnect
	opSocketError
	opRead
	opWrite
	opCloseWrite
	opClose
	opAbort
	opAdd
	opRemove
	opWait
	opWall
	opRand
	opOffload
)

var opNames = [...]string{"listen", "accept", "connect", "socketerror", "read", "write", "closewrite",
	"close", "abort", "add", "remove", "wait", "wall", "rand", "offload"}

var kindNames = [...]string{"syn", "synack", "refused", "unreachable", "synretry", "conntimeout", "ack",
	"data", "fin", "rst", "space", "window", "acktimeout", "halfopen",
	"orphan", "reset", "die", "ready", "job", "call"}

// castagnoli has a CPU instruction on common machines, so hashing all bytes is cheap.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Digest is a hash of the whole run: each system call with its outcome and bytes, each delivery with its time. Equal
// digests mean identical runs.
func (n *Network) Digest() uint64 { return n.digest }

// Trace returns the events as text, one per line, if Options.Record is set. The slice belongs to the network, and the
// next event may append to it.
func (n *Network) Trace() []string { return n.trace }

func (n *Network) mix(w uint64) {
	n.digest = bits.RotateLeft64(n.digest^w, 23) * 0x9e3779b97f4a7c15
}

// note records a system call: its descriptor, its result, and the bytes that it moved.
func (h *Host) note(o op, fd loop.FD, result int, e syscall.Errno, p []byte) {
	n := h.n
	n.now += n.opts.CallCost
	sum := crc32.Checksum(p, castagnoli)
	n.mix(uint64(n.now))
	n.mix(uint64(o)<<56 | uint64(h.index)<<32 | uint64(uint32(fd)))
	n.mix(uint64(result)<<16 ^ uint64(e)<<48 ^ uint64(sum))
	if !n.opts.Record {
		return
	}
	line := fmt.Sprintf("%v %s %s %d: %d", n.now, h.name, opNames[o], fd, result)
	if len(p) > 0 {
		line += fmt.Sprintf(" #%08x", sum)
	}
	if e != 0 {
		line += " (" + e.Error() + ")"
	}
	n.trace = append(n.trace, line)
}
