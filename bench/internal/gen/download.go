package gen

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// BulkSize is the length of the body that servers of bulk answer: long enough that its head and its
// first, smaller records do not count.
const BulkSize = 16 << 20

// BulkPath is where servers that also answer Body have it.
const BulkPath = "/bulk"

// Bulk is the body's bytes from off on: at most n, at least one and as many as one period has. They
// must not be changed.
func Bulk(off, n int) []byte {
	phase := off % period
	return pattern[phase : phase+min(n, BulkSize-off, period)]
}

// BulkBody is the body in one piece. It must not be changed.
var BulkBody = sync.OnceValue(func() []byte {
	b := make([]byte, 0, BulkSize)
	for len(b) < BulkSize {
		b = append(b, Bulk(len(b), BulkSize)...)
	}
	return b
})

// BulkRequest is Request for the bulk.
const BulkRequest = "GET " + BulkPath + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

// Haul is Conns connections that download the bulk, again and again.
type Haul struct {
	Addr  netip.AddrPort
	Conns int
	TLS   bool // over TLS 1.3
}

// Download measures a Haul; Result.Done counts the bytes that came, heads and bodies, each opened and
// compared with what it should be. The caller has locked its thread.
func Download(h Haul, w Window) (Result, error) {
	c, err := open(h.Addr, h.Conns, unix.EPOLLIN, h.TLS)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	d := &downloader{asker: newAsker(period)}
	for _, k := range c.all {
		if err := d.ask(k); err != nil {
			return Result{}, err
		}
	}
	r, err := run(c, w, d)
	if err != nil {
		return Result{}, fmt.Errorf("gen: download over %d connections: %v: %w", h.Conns, h.Addr, err)
	}
	return r, nil
}

var bulkRequest = []byte(BulkRequest)

type downloader struct {
	asker
	done int
}

// ask sends one request. k.got counts body bytes, and is -1 before the head.
func (d *downloader) ask(k *conn) error {
	k.got = -1
	return d.send(k, bulkRequest)
}

func (d *downloader) serve(k *conn, _ uint32) (done int, err error) {
	d.done = 0
	for {
		was := d.done
		full, err := d.collect(k, d)
		if full && err == nil {
			err = d.ask(k)
		}
		if full || err != nil || d.done == was || k.tls != nil {
			return d.done, err
		}
	}
}

// take checks one piece of an answer. Every server sends the head in one record.
func (d *downloader) take(k *conn, b []byte) (full bool, err error) {
	d.done += len(b)
	if k.got < 0 {
		head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok || !bytes.HasPrefix(b, answerHead) {
			return false, fmt.Errorf("wrong answer: %.200q", b)
		}
		if want := fmt.Sprintf("\r\ncontent-length: %d", BulkSize); !bytes.Contains(bytes.ToLower(head), []byte(want)) {
			return false, fmt.Errorf("wrong answer: no content-length of %d: %q", BulkSize, head)
		}
		b, k.got = body, 0
	}
	if len(b) > BulkSize-k.got {
		return false, errors.New("wrong answer: more than the bulk")
	}
	if phase := k.got % period; !bytes.Equal(b, pattern[phase:phase+len(b)]) {
		return false, fmt.Errorf("wrong answer: bytes %d to %d are not those of the bulk", k.got, k.got+len(b))
	}
	k.got += len(b)
	return k.got == BulkSize, nil
}
