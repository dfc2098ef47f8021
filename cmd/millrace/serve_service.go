package main

import (
	"fmt"
	"io"
	"os"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/ss"
)

// service is what the streams of one serve share.
type service struct {
	house    *house
	listener *ss.Handle
	content  content
	certs    []stdtls.Certificate // in place of the policy's; nil for those
	echo     bool
	http     bool
	mime     string
	free     [][]byte // buffers of pieceSize between two uses
	few      [][]byte // those of fewSize
}

// ack begins an answer with status 200.
func (sv *service) ack(h *ss.Handle) {
	h.ServerAck(0)
	if sv.mime != "" {
		// The policy declares it: prepare has looked.
		_ = h.SetMetadataString("mime", sv.mime)
	}
}

const (
	// pieceSize is how much of a file is read at a time: as much as leaves in one system call.
	pieceSize = 64 << 10
	// fewSize is enough for what most requests bring.
	fewSize = 4 << 10
	// buffersKept bounds the buffers of each size that wait for a stream to need them.
	buffersKept = 64
)

// take returns an empty buffer with room for n bytes, and give takes it back. Both are called on the loop's
// goroutine.
func (sv *service) take(n int) []byte {
	free, size := &sv.free, pieceSize
	if n <= fewSize {
		free, size = &sv.few, fewSize
	}
	if k := len(*free); k > 0 && n <= size {
		b := (*free)[k-1]
		*free = (*free)[:k-1]
		return b
	}
	return make([]byte, 0, max(n, size))
}

func (sv *service) give(b []byte) {
	switch {
	case cap(b) == fewSize && len(sv.few) < buffersKept:
		sv.few = append(sv.few, b[:0])
	case cap(b) == pieceSize && len(sv.free) < buffersKept:
		sv.free = append(sv.free, b[:0])
	}
}

// add appends p to b, which take has given or which is nil.
func (sv *service) add(b, p []byte) []byte {
	if n := len(b) + len(p); b == nil || n > cap(b) {
		if b != nil {
			n = max(n, 2*cap(b))
		}
		bigger := append(sv.take(n), b...)
		sv.give(b)
		b = bigger
	}
	return append(b, p...)
}

// content is an answer: text, or a file that is read piece by piece.
type content struct {
	text []byte
	file *os.File
	size int64
}

// open takes a regular file as the content.
func (c *content) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file: its length must be known", name)
	}
	if err != nil {
		f.Close()
		return err
	}
	c.file, c.size = f, info.Size()
	return nil
}

func (c *content) close() {
	if c.file != nil {
		c.file.Close()
	}
}

// read fills b from off on. It may block.
func (c *content) read(b []byte, off int64) error {
	n, err := c.file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("%s has become shorter while it was served", c.file.Name())
	}
	return err
}
