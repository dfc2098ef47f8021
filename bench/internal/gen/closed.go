package gen

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/stat"
)

// Window bounds a measurement: results of Warm are discarded, Span is measured. CPU returns the server's
// processor time; the generator calls it at both ends of Span.
type Window struct {
	Warm, Span time.Duration
	CPU        func() (time.Duration, error)
}

// Load is Conns keep-alive connections that each send Depth requests in one write and wait for all
// Depth responses. Size is the length of one response, as returned by Probe.
type Load struct {
	Addr  netip.AddrPort
	Conns int
	Depth int
	Size  int
	TLS   bool // over TLS 1.3
}

// Result is the result of one measurement in its window.
type Result struct {
	Done    uint64        // requests answered, or bytes echoed
	Elapsed time.Duration // the actual length of the window
	CPU     time.Duration // the server's processor time in it
	Idle    float64       // the fraction of Elapsed in which the generator had no work
	// Latency has one entry per batch of Depth requests. The caller owns it.
	Latency *stat.Histogram
}

// answerHead is the required start of every response.
var answerHead = []byte("HTTP/1.1 200 ")

// Closed measures a closed-loop HTTP load. The caller must have locked its thread.
func Closed(l Load, w Window) (Result, error) {
	c, err := open(l.Addr, l.Conns, unix.EPOLLIN, l.TLS)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	p := httpPinger(l.Depth, l.Size)
	for _, k := range c.all {
		if err := p.ask(k); err != nil {
			return Result{}, err
		}
	}
	r, err := run(c, w, p)
	if err != nil {
		return Result{}, fmt.Errorf("gen: %d connections, %d deep: %v: %w", l.Conns, l.Depth, l.Addr, err)
	}
	r.Done *= uint64(l.Depth)
	r.Latency = p.hist
	return r, nil
}

// pinger sends requests, and measures and checks the responses.
type pinger struct {
	asker
	request []byte // a whole batch
	head    []byte // how a response starts
	tail    []byte // how it ends
	total   int    // length of a batch of responses
}

// httpPinger sends HTTP requests, depth at a time, whose responses have size bytes each.
func httpPinger(depth, size int) *pinger {
	return newPinger([]byte(strings.Repeat(Request, depth)), answerHead, []byte(Body), size*depth)
}

// newPinger reads one byte more than total, so that a full read reveals a response that is too long.
func newPinger(request, head, tail []byte, total int) *pinger {
	return &pinger{asker: newAsker(total + 1), request: request, head: head, tail: tail, total: total}
}

// ask sends one batch.
func (p *pinger) ask(k *conn) error {
	k.got = 0
	return p.send(k, p.request)
}

// serve reads available data. It returns 1 when the batch is complete, after it has sent the next one.
func (p *pinger) serve(k *conn, _ uint32) (done int, err error) {
	full, err := p.read(k)
	if err != nil || !full {
		return 0, err
	}
	p.answered(k)
	return 1, p.ask(k)
}

// read reads one piece of a response and reports whether the batch is complete.
func (p *pinger) read(k *conn) (full bool, err error) { return p.collect(k, p) }

// take implements taker: it checks one piece of a response.
func (p *pinger) take(k *conn, got []byte) (full bool, err error) {
	n := len(got)
	if k.got == 0 && !bytes.HasPrefix(got, p.head[:min(n, len(p.head))]) {
		return false, fmt.Errorf("wrong response: %.200q", got)
	}
	k.got += n
	if k.got < p.total {
		return false, nil
	}
	if k.got > p.total || !bytes.HasSuffix(got, p.tail[max(len(p.tail)-n, 0):]) {
		return false, fmt.Errorf("wrong response: %d bytes, want %d, ending in %q", k.got, p.total, got[max(n-40, 0):])
	}
	return true, nil
}
