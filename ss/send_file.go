package ss

import (
	"fmt"
	"io"

	"github.com/millrace/millrace/policy"
)

const (
	// filePart is how much of a file is read at a time: what one Send takes, so that a read costs one system call for
	// the socket. A file in transit has two: one is read while the other is sent.
	filePart  = 128 << 10
	fileParts = 2
	// filesFree is how many unused parts a runtime keeps.
	filesFree = 8
)

// fileOut is a file on its way out.
type fileOut struct {
	h        *Handle
	r        io.ReaderAt
	off, end int64 // what is still to be read
	f        Flags
	mem      Memory
	parts    [fileParts][]byte // in a ring: full ones from first on; nil before they are needed
	full     int
	first    int
	sent     int   // of the first
	total    int64 // handed to Send
	reading  bool  // a job fills the part behind the full ones
	asked    bool  // Tx was called: there is something to send on
	over     bool
}

// SendFile sends size bytes of r, from off on, with the SOM and EOM of f at their beginning and end. They are read
// 128 KiB at a time by jobs away from the loop's goroutine (loop.System.Offload), so that a slow disk keeps nothing else
// waiting, and sent by Send; two such parts are held, and charged as Memory is. On HTTP with EOM, size becomes the
// Content-Length, unless RequestTxLen has announced another. A client stream calls it at CONNECTING, or before
// Connect; an accepted one at SERVER_TXN.
//
// While a file is on its way Tx is not called, and the program must not Send. Tx is called when all was handed over, except
// on HTTP after EOM, where the transaction goes on. What ends the connection or the transaction drops the file, and
// so does CONNECTING once a byte of it was sent: a request that is repeated calls SendFile again. A read that fails, or
// that finds fewer bytes, ends the connection, so that the peer does not take what it has for the whole.
//
// r is used until the file is sent or dropped; then it is closed by a job, if it is an io.Closer. It is not used by
// two jobs at a time. err is ErrBlocked while another file is on its way, ErrMisuse for a negative size or offset,
// ErrDestroyed or ErrWrongThread; r stays the caller's then.
func (h *Handle) SendFile(r io.ReaderAt, off, size int64, f Flags) error {
	rt := h.rt
	switch {
	case h.astray("SendFile"):
		return ErrWrongThread
	case h.flags&(destroyed|wantDestroy) != 0:
		return ErrDestroyed
	case h.flags&hasFile != 0:
		return fmt.Errorf("ss: send file: stream type %q: another is on its way: %w", h.StreamType(), ErrBlocked)
	case off < 0 || size < 0 || off+size < 0:
		return fmt.Errorf("ss: send file: stream type %q: %d bytes from %d on: %w", h.StreamType(), size, off, ErrMisuse)
	}
	if rt.files == nil {
		rt.files = make(map[*Handle]payloadSource)
	}
	o := &fileOut{h: h, r: r, off: off, end: off + size, f: f}
	rt.files[h] = o
	h.flags |= hasFile
	if f&EOM != 0 && h.hint < 0 {
		h.hint = size
	}
	h.requestTx()
	o.read()
	return nil
}

// read has a job fill the next part, if there is one to fill.
func (o *fileOut) read() {
	if o.over || o.reading || o.off == o.end || o.full == fileParts {
		return
	}
	i := (o.first + o.full) % fileParts
	if o.parts[i] == nil {
		o.parts[i] = o.h.rt.takePart()
		o.charge()
	}
	b, at := o.parts[i][:min(int64(filePart), o.end-o.off)], o.off
	o.parts[i] = b
	o.reading = true
	err := o.h.rt.loop.Offload(func() error {
		n, err := o.r.ReadAt(b, at)
		if n == len(b) {
			return nil
		}
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}, o.filled)
	if err != nil {
		o.reading = false
		o.fail(err)
	}
}

// filled is called when a job has filled a part.
func (o *fileOut) filled(err error) {
	o.reading = false
	switch {
	case o.over:
		o.giveUp()
	case err != nil:
		o.fail(err)
	default:
		o.off += int64(len(o.parts[(o.first+o.full)%fileParts]))
		o.full++
		o.read()
		if o.asked {
			o.pump()
		}
	}
}

// tx implements payloadSource.
func (o *fileOut) tx() {
	o.asked = true
	o.pump()
}

// pump sends what has been read.
func (o *fileOut) pump() {
	for !o.over {
		if o.full == 0 && o.off < o.end {
			return // filled goes on
		}
		var b []byte
		f := Flags(0)
		if o.total == 0 {
			f |= o.f & SOM
		}
		if o.full > 0 {
			b = o.parts[o.first][o.sent:]
		}
		last := o.off == o.end && o.full <= 1
		if last {
			f |= o.f & EOM
		}
		n, err := o.h.Send(b, f|o.f&(Text|Binary))
		o.sent += n
		o.total += int64(n)
		switch {
		case err == ErrBlocked:
			return
		case err == ErrNotConnected: // the message needs no more, as a response to HEAD
			o.drop()
			return
		case err != nil:
			o.fail(err)
			return
		case last:
			o.done()
			return
		}
		o.first, o.full, o.sent = (o.first+1)%fileParts, o.full-1, 0
		o.read()
	}
}

// done ends a file that was sent.
func (o *fileOut) done() {
	h := o.h
	o.drop()
	if p, ok := h.be.protocol(); ok && (o.f&EOM == 0 || p == policy.Raw || p == policy.WS) {
		h.requestTx()
	}
}

// fail ends the connection of a file that cannot be sent.
func (o *fileOut) fail(err error) {
	h := o.h
	h.rt.log.Error("ss: a file cannot be sent", "stream", h.StreamType(), "sent", o.total, "err", err)
	o.drop()
	h.pend(wantDisconnect)
}

// drop forgets the file. Its memory waits for a job that is under way.
func (o *fileOut) drop() {
	o.over = true
	o.mem.Set(o.h, 0)
	o.h.flags &^= hasFile
	delete(o.h.rt.files, o.h)
	if !o.reading {
		o.giveUp()
	}
}

func (o *fileOut) giveUp() {
	rt := o.h.rt
	for i, b := range o.parts {
		if o.parts[i] = nil; b != nil && len(rt.fileFree) < filesFree {
			rt.fileFree = append(rt.fileFree, b[:filePart])
		}
	}
	if c, ok := o.r.(io.Closer); ok {
		o.r = nil
		_ = rt.loop.Offload(c.Close, nil) // a loop that is closed has ended with its process
	}
}

// charge counts the parts that there are.
func (o *fileOut) charge() {
	n := 0
	for _, b := range o.parts {
		n += cap(b)
	}
	o.mem.Set(o.h, n)
}

func (r *Runtime) takePart() []byte {
	n := len(r.fileFree)
	if n == 0 {
		return make([]byte, filePart)
	}
	b := r.fileFree[n-1]
	r.fileFree = r.fileFree[:n-1]
	return b
}

// told implements payloadSource.
func (o *fileOut) told(s State) {
	if s != Connecting || o.total > 0 {
		o.drop()
	}
}
