package main

import (
	"fmt"
	"io"
	"os"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/ss"
)

// service is shared by the streams of one serve.
type service struct {
	runner   *runner
	listener *ss.Handle
	content  content
	certs    []stdtls.Certificate // instead of the policy's; nil for the policy's
	echo     bool
	http     bool
	mime     string
	free     [][]byte // unused buffers of pieceSize
	few      [][]byte // unused buffers of fewSize
}

// ack starts an answer with status 200.
func (sv *service) ack(h *ss.Handle) {
	h.ServerAck(0)
	if sv.mime != "" {
		// prepare has checked that the policy declares it.
		_ = h.SetMetadataString("mime", sv.mime)
	}
}

const (
	// pieceSize is the size of one read of a file: as much as one system call sends.
	pieceSize = 64 << 10
	// fewSize is enough for the body of most requests.
	fewSize = 4 << 10
	// buffersKept is the largest number of unused buffers of each size.
	buffersKept = 64
)

// getBuffer returns an empty buffer with room for n bytes, and putBuffer returns it to the pool. Both are called on the
// loop's goroutine.
func (sv *service) getBuffer(n int) []byte {
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

func (sv *service) putBuffer(b []byte) {
	switch {
	case cap(b) == fewSize && len(sv.few) < buffersKept:
		sv.few = append(sv.few, b[:0])
	case cap(b) == pieceSize && len(sv.free) < buffersKept:
		sv.free = append(sv.free, b[:0])
	}
}

// add appends p to b, which is nil or from getBuffer.
func (sv *service) add(b, p []byte) []byte {
	if n := len(b) + len(p); b == nil || n > cap(b) {
		if b != nil {
			n = max(n, 2*cap(b))
		}
		bigger := append(sv.getBuffer(n), b...)
		sv.putBuffer(b)
		b = bigger
	}
	return append(b, p...)
}

// content is an answer: text, or a file that is read in pieces.
type content struct {
	text []byte
	file *os.File
	size int64
}

// open opens a regular file as the content.
func (c *content) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: its length must be known", name)
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

// read reads len(b) bytes at off. It may block.
func (c *content) read(b []byte, off int64) error {
	n, err := c.file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("%s was truncated while it was served", c.file.Name())
	}
	return err
}
