package gen

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/sys"
)

// clientTLS is the configuration of every client of the benchmarks: TLS 1.3, ALPN http/1.1. It does not
// verify the certificate, which Probe has done, to save time in the generator. It has a session cache because crypto/tls
// requests tickets only with one, and the clients of real servers request them.
func clientTLS(cache tls.ClientSessionCache) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: true,
		ServerName: "bench", ClientSessionCache: cache}
}

// secure does the handshake on a connection and returns its record layer. It blocks.
func secure(fd int) (*channel, error) {
	var log keyLog
	c := clientTLS(new(ticket))
	c.KeyLogWriter = &log
	t := tls.Client(&wire{fd: fd}, c)
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("gen: handshake: %w", err)
	}
	s := t.ConnectionState()
	if s.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		// All servers must use one suite, or their figures are not comparable.
		return nil, fmt.Errorf("gen: handshake: the server chose %s, want TLS_AES_128_GCM_SHA256", tls.CipherSuiteName(s.CipherSuite))
	}
	ch := new(channel)
	var err error
	if ch.in, err = log.half("SERVER_TRAFFIC_SECRET_0"); err == nil {
		ch.out, err = log.half("CLIENT_TRAFFIC_SECRET_0")
	}
	if err == nil {
		err = ch.wake()
	}
	if err != nil {
		return nil, fmt.Errorf("gen: handshake: %w", err)
	}
	return ch, nil
}

// keyLog holds the key log of one connection.
type keyLog struct{ bytes.Buffer }

// half finds a secret by its label. A line is label, client random, secret.
func (l *keyLog) half(label string) (half, error) {
	for line := range bytes.Lines(l.Bytes()) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == label {
			secret, err := hex.DecodeString(string(f[2]))
			if err != nil {
				return half{}, err
			}
			return newHalf(secret)
		}
	}
	return half{}, errors.New("no " + label + " in the key log")
}

// wire adapts a nonblocking descriptor to crypto/tls during a handshake: it blocks, and it never
// reads past the end of a record, so that no data is left in the tls.Conn when that is dropped.
type wire struct {
	fd   int
	head [recordHead]byte
	seen int // bytes of head that were returned
	left int // bytes of the record's body still to come
}

func (w *wire) Read(b []byte) (int, error) {
	if w.left > 0 {
		n, err := w.some(b[:min(len(b), w.left)])
		w.left -= n
		return n, err
	}
	n, err := w.some(b[:min(len(b), recordHead-w.seen)])
	copy(w.head[w.seen:], b[:n])
	if w.seen += n; w.seen == recordHead {
		w.seen, w.left = 0, int(binary.BigEndian.Uint16(w.head[3:]))
	}
	return n, err
}

// some reads available data, and waits until there is some.
func (w *wire) some(b []byte) (int, error) {
	for {
		n, errno := sys.Read(w.fd, b)
		switch {
		case errno == 0 && n == 0:
			return 0, io.ErrUnexpectedEOF
		case errno == 0:
			return n, nil
		case errno != unix.EAGAIN:
			return 0, errno
		}
		if err := await(w.fd, unix.POLLIN); err != nil {
			return 0, err
		}
	}
}

func (w *wire) Write(b []byte) (n int, err error) {
	for n < len(b) {
		k, errno := sys.Write(w.fd, b[n:])
		n += k
		if errno == unix.EAGAIN {
			errno, err = 0, await(w.fd, unix.POLLOUT)
		}
		if errno != 0 {
			err = errno
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// The other methods of net.Conn are not called, or do nothing: the owner of the descriptor closes it.
func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return nil }
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
