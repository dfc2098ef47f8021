package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/millrace/millrace/ss"
)

// upload is the payload that a fetch sends. Text is in memory; a goroutine reads files and standard input, one
// piece ahead, since reading can block.
type upload struct {
	h      *ss.Handle
	post   func(func())
	failed func(error)

	text []byte    // of --data TEXT
	file *os.File  // of --data @FILE when it is a regular file
	pipe io.Reader // of a source that can be read only once

	size    int64 // -1: unknown
	pos     int64 // of the next byte to send
	attempt int   // pieces of earlier attempts are dropped
	taken   bool  // bytes of the pipe were used
	ended   bool  // the source has ended after piece
	begun   bool  // with lines: a message is incomplete
	cr      bool  // and a CR of it is not sent yet
	reading bool
	piece   []byte
	asked   chan request
}

// unknownMax is the largest length of a file whose length the system reports as 0.
const unknownMax = 1 << 20

// request asks the reading goroutine for a piece.
type request struct {
	off     int64
	attempt int
}

// openUpload opens the payload of --data.
func openUpload(stdin io.Reader, o *fetchFlags) (*upload, error) {
	u := &upload{}
	name, isFile := strings.CutPrefix(o.data, "@")
	switch {
	case o.lines:
		u.pipe, u.size = stdin, -1
	case !isFile:
		u.text, u.size = []byte(o.data), int64(len(o.data))
		return u, nil
	case name == "-":
		u.pipe, u.size = stdin, -1
	default:
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		switch {
		case err == nil && info.IsDir():
			err = fmt.Errorf("%s is a directory", name)
			fallthrough
		case err != nil:
			f.Close()
			return nil, err
		case info.Mode().IsRegular() && info.Size() > 0:
			u.file, u.size = f, info.Size()
		case info.Mode().IsRegular():
			// It is empty, or the system does not report its length, as for files in /proc.
			u.text, err = readAtMost(f, unknownMax+1)
			f.Close()
			if err == nil && len(u.text) > unknownMax {
				err = fmt.Errorf("%s has more than %d bytes, although the system reports length 0", name, unknownMax)
			}
			u.size = int64(len(u.text))
			return u, err
		default:
			u.pipe, u.size = f, -1
		}
	}
	u.asked = make(chan request, 1)
	go u.read(u.asked)
	return u, nil
}

func (u *upload) close() {
	u.stop()
	if u.file != nil {
		u.file.Close()
	}
}

// stop ends the reading goroutine. A goroutine that is blocked in a read ends with the process.
func (u *upload) stop() {
	if u.asked != nil {
		close(u.asked)
		u.asked = nil
	}
}

// rewind prepares another attempt. It returns false if the payload cannot be sent again.
func (u *upload) rewind() bool {
	if u.taken {
		return false
	}
	u.attempt++
	u.pos = 0
	if u.pipe == nil {
		u.piece, u.ended = nil, false
	}
	return true
}

// fill writes the next payload to buf. If none is read yet, it requests a piece for the next Tx.
func (u *upload) fill(buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if u.pos == 0 {
		f = ss.SOM
	}
	if u.asked == nil {
		n = copy(buf, u.text[u.pos:])
		u.pos += int64(n)
		u.ended = u.pos == u.size
	} else {
		if len(u.piece) == 0 && !u.ended {
			u.ask()
			return 0, 0, ss.TxDontSend
		}
		n = copy(buf, u.piece)
		u.piece = u.piece[n:]
		u.pos += int64(n)
		u.taken = u.taken || u.pipe != nil && n > 0
		if u.size >= 0 && u.pos == u.size {
			u.ended = true
		}
	}
	if u.complete() {
		return n, f | ss.EOM, ss.OK
	}
	u.h.RequestTx()
	return n, f, ss.OK
}

// complete reports whether all payload was written to Tx.
func (u *upload) complete() bool { return u.ended && len(u.piece) == 0 }

func (u *upload) ask() {
	if !u.reading {
		u.reading = true
		u.asked <- request{u.pos, u.attempt}
	}
}

// read is the reading goroutine. Only one piece exists at a time, so it uses one buffer.
func (u *upload) read(asked <-chan request) {
	buf := make([]byte, pieceSize)
	for r := range asked {
		var n int
		var err error
		if u.file != nil {
			n, err = u.file.ReadAt(buf[:min(int64(len(buf)), u.size-r.off)], r.off)
			if n > 0 {
				err = nil
			}
		} else {
			for n == 0 && err == nil {
				n, err = u.pipe.Read(buf)
			}
		}
		u.post(func() { u.wasRead(buf[:n], err, r.attempt) })
	}
}

// wasRead receives a piece, on the loop.
func (u *upload) wasRead(b []byte, err error, attempt int) {
	u.reading = false
	ended := errors.Is(err, io.EOF)
	if err != nil && !ended {
		u.failed(fmt.Errorf("read the payload: %w", err))
		return
	}
	if ended && u.file != nil {
		u.failed(fmt.Errorf("read the payload: %s was truncated while it was read", u.file.Name()))
		return
	}
	if u.pipe != nil || attempt == u.attempt {
		u.piece, u.ended = b, ended
	}
	u.h.RequestTx()
}
