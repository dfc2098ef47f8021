package main

import (
	"io"
	"sync"

	"github.com/millrace/millrace/ss"
)

// downloadHigh is the number of bytes that may wait for a slow output before the stream is paused. One more
// receive buffer can be added to them.
const downloadHigh = 256 << 10

// download writes payload on its own goroutine, since standard output can be a full pipe.
type download struct {
	w      io.Writer
	h      *ss.Handle
	post   func(func()) // to the loop
	failed func()       // called on the loop after a write error

	mu     sync.Mutex
	more   sync.Cond
	wait   []byte // not written yet
	spare  []byte
	paused bool
	closed bool
	err    error
	done   chan struct{}
}

func newDownload(w io.Writer, post func(func())) *download {
	d := &download{w: w, post: post, failed: func() {}, done: make(chan struct{})}
	d.more.L = &d.mu
	go d.run()
	return d
}

// follow makes h the stream whose payload is written. It returns true if h must stay paused until download resumes it.
func (d *download) follow(h *ss.Handle) (full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.h = h
	return d.paused
}

// put appends a copy of b. It returns true if the stream must be paused; download resumes it.
func (d *download) put(b []byte) (full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return false
	}
	d.wait = append(d.wait, b...)
	d.more.Signal()
	d.paused = d.paused || len(d.wait) >= downloadHigh
	return d.paused
}

// fail drops all later payload, as after a write error.
func (d *download) fail(err error) {
	d.mu.Lock()
	if d.err == nil {
		d.err, d.wait = err, nil
		d.more.Signal()
		d.post(d.failed)
	}
	d.mu.Unlock()
}

// finish writes the remaining payload, ends the goroutine, and returns the first error.
func (d *download) finish() error {
	d.mu.Lock()
	d.closed = true
	d.more.Signal()
	d.mu.Unlock()
	<-d.done
	return d.err
}

func (d *download) run() {
	defer close(d.done)
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for len(d.wait) == 0 && !d.closed && d.err == nil {
			d.more.Wait()
		}
		if len(d.wait) == 0 || d.err != nil {
			return
		}
		b := d.wait
		d.wait = d.spare[:0]
		if d.paused {
			d.paused = false
			d.post(func() { d.h.Resume() })
		}
		d.mu.Unlock()
		_, err := d.w.Write(b)
		d.mu.Lock()
		d.spare = b
		if err != nil {
			if d.err == nil {
				d.err, d.wait = err, nil
				d.post(d.failed)
			}
			return
		}
	}
}
