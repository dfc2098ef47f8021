package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/gen"
	"github.com/millrace/millrace/bench/internal/sys"
)

// The frames of the limit: a header of two octets, or of four with a length of 16 bits, and from a client the key
// (RFC 6455 s.5.2). The generator sends no longer headers.
const (
	frameShort = 2
	frameLong  = 4
	frameKey   = 4
	frameLen16 = 126
)

// listen reads once and sends back every complete message in place: an echo has to parse the header, unmask, and
// write a header without a key; it does nothing else.
func (l *limit) listen(fd int) error {
	for {
		n, errno := sys.Read(fd, l.buf)
		l.count.reads++
		if errno == unix.EAGAIN {
			return nil
		}
		if n == 0 {
			l.leave(fd)
			l.conns[fd] = limitConn{}
			unix.Close(fd)
			return nil
		}
		c := &l.conns[fd]
		b := l.buf[:n]
		if len(c.rest) > 0 {
			c.rest = append(c.rest, b...)
			b = c.rest
		}
		used, err := l.speak(fd, c, b)
		if err != nil {
			return err
		}
		if used < len(b) {
			c.rest = append(c.rest[:0], b[used:]...)
		} else {
			c.rest = c.rest[:0]
		}
		if n < len(l.buf) {
			return nil
		}
	}
}

// speak answers all complete messages in b, and returns their length.
func (l *limit) speak(fd int, c *limitConn, b []byte) (used int, err error) {
	if !c.open {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return 0, nil
		}
		_, key, _ := bytes.Cut(b[:end], []byte("Sec-WebSocket-Key: "))
		key, _, _ = bytes.Cut(key, []byte("\r\n"))
		c.open, used = true, end+4
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			gen.WSAccept(key) + "\r\n\r\n"
		if err := l.sendAll(fd, []byte(answer)); err != nil {
			return 0, err
		}
	}
	for {
		whole, payload := frame(b[used:])
		if whole == 0 {
			return used, nil
		}
		f := b[used : used+whole]
		unmask(f[payload:], binary.LittleEndian.Uint32(f[payload-frameKey:]))
		// The same header without the key, directly before the payload.
		copy(f[frameKey:payload], f[:payload-frameKey])
		f = f[frameKey:]
		f[1] &= 0x7f
		if l.kind == kindFan && f[1] > 1 {
			err = l.spread(f)
		} else {
			l.join(fd)
			err = l.sendAll(fd, f)
		}
		if err != nil {
			return 0, err
		}
		l.count.requests++
		used += whole
	}
}

// join subscribes a connection to the fan.
func (l *limit) join(fd int) {
	if c := &l.conns[fd]; l.kind == kindFan && c.seat == 0 {
		l.members = append(l.members, fd)
		c.seat = len(l.members)
	}
}

// leave removes it.
func (l *limit) leave(fd int) {
	if at := l.conns[fd].seat; at > 0 {
		last := len(l.members) - 1
		moved := l.members[last]
		l.members[at-1] = moved
		l.conns[moved].seat = at
		l.members = l.members[:last]
	}
}

// spread writes a message to all members.
func (l *limit) spread(f []byte) error {
	for _, fd := range l.members {
		if err := l.sendAll(fd, f); err != nil {
			return err
		}
	}
	return nil
}

// frame returns the length of the first frame of b, and where its payload starts. 0 means that it is incomplete.
func frame(b []byte) (whole, payload int) {
	if len(b) < frameShort+frameKey {
		return 0, 0
	}
	size := int(b[1] & 0x7f)
	payload = frameShort + frameKey
	if size == frameLen16 {
		size = int(binary.BigEndian.Uint16(b[2:]))
		payload = frameLong + frameKey
	}
	if whole = payload + size; whole > len(b) {
		return 0, 0
	}
	return whole, payload
}

// unmask removes a key (RFC 6455 s.5.3), 64 octets at a time: the fastest way in Go.
func unmask(b []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	for len(b) >= 64 {
		p := b[:64:64]
		binary.LittleEndian.PutUint64(p[0:], binary.LittleEndian.Uint64(p[0:])^k)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^k)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^k)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^k)
		binary.LittleEndian.PutUint64(p[32:], binary.LittleEndian.Uint64(p[32:])^k)
		binary.LittleEndian.PutUint64(p[40:], binary.LittleEndian.Uint64(p[40:])^k)
		binary.LittleEndian.PutUint64(p[48:], binary.LittleEndian.Uint64(p[48:])^k)
		binary.LittleEndian.PutUint64(p[56:], binary.LittleEndian.Uint64(p[56:])^k)
		b = b[64:]
	}
	for i := range b {
		b[i] ^= byte(k >> (i & 7 * 8))
	}
}

// sendAll writes b. The generator reads a message before it sends the next, so the socket has room.
func (l *limit) sendAll(fd int, b []byte) error {
	n, errno := sys.Write(fd, b)
	l.count.writes++
	if errno == unix.EPIPE || errno == unix.ECONNRESET {
		return nil // the next read reports the end
	}
	if errno != 0 || n != len(b) {
		return fmt.Errorf("send %d bytes: sent %d: %w", len(b), n, errno)
	}
	return nil
}
