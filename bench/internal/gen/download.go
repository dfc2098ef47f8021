package gen

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// BulkSize is the length of the bulk body: so long that its head and its
// first, smaller records are negligible.
const BulkSize = 16 << 20

// BulkPath is the path of the bulk on servers that also serve Body.
const BulkPath = "/bulk"

// Bulk returns the body's bytes from off on: at least one, at most n and at most one period. The caller
// must not change them.
func Bulk(off, n int) []byte {
	phase := off % period
	return pattern[phase : phase+min(n, BulkSize-off, period)]
}

// BulkBody returns the whole body, which the caller must not change.
var BulkBody = sync.OnceValue(func() []byte {
	b := make([]byte, 0, BulkSize)
	for len(b) < BulkSize {
		b = append(b, Bulk(len(b), BulkSize)...)
	}
	return b
})

// BulkRequest is Request with BulkPath.
const BulkRequest = "GET " + BulkPath + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

// BulkLoad is Conns connections that repeatedly download the bulk.
type BulkLoad struct {
	Addr  netip.AddrPort
	Conns int
	TLS   bool // over TLS 1.3
}

// Download measures a BulkLoad; Result.Done counts the received bytes, heads and bodies, each compared with
// the expected byte. The caller must have locked its thread.
func Download(h BulkLoad, w Window) (Result, error) {
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

// take checks one piece of a response. Every server sends the head in one record.
func (d *downloader) take(k *conn, b []byte) (full bool, err error) {
	d.done += len(b)
	if k.got < 0 {
		head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok || !bytes.HasPrefix(b, answerHead) {
			return false, fmt.Errorf("wrong response: %.200q", b)
		}
		if want := fmt.Sprintf("\r\ncontent-length: %d", BulkSize); !bytes.Contains(bytes.ToLower(head), []byte(want)) {
			return false, fmt.Errorf("wrong response: no content-length of %d: %q", BulkSize, head)
		}
		b, k.got = body, 0
	}
	if len(b) > BulkSize-k.got {
		return false, errors.New("wrong answer: more than the bulk")
	}
	if phase := k.got % period; !bytes.Equal(b, pattern[phase:phase+len(b)]) {
		return false, fmt.Errorf("wrong response: bytes %d to %d differ from the bulk", k.got, k.got+len(b))
	}
	k.got += len(b)
	return k.got == BulkSize, nil
}
