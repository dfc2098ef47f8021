package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"unicode/utf8"

	"github.com/millrace/millrace/ss"
)

// errText is the error of a text message that is not UTF-8.
var errText = errors.New("the payload of a text message is not UTF-8: --binary, or \"ws_binary\" in a policy, sends binary messages")

// fillLine is fill for a source whose lines are messages, without the line end, LF or CR LF. A line of any length is sent
// in the pieces in which it was read; the last line may lack its line end.
func (u *upload) fillLine(buf []byte) (n int, f ss.Flags, r ss.Ret) {
	switch {
	case u.sent():
		return 0, 0, ss.TxDontSend
	case len(u.piece) == 0 && !u.ended:
		u.ask()
		return 0, 0, ss.TxDontSend
	}
	if !u.begun {
		f = ss.SOM
	}
	u.begun, u.taken = true, true
	if u.cr && !bytes.HasPrefix(u.piece, []byte{'\n'}) {
		n = copy(buf, "\r")
	}
	u.cr = false
	line := u.piece
	end := bytes.IndexByte(line, '\n')
	if end >= 0 {
		line = line[:end]
	}
	if most := len(buf) - n; len(line) > most {
		line, end = line[:most], -1
		u.piece = u.piece[len(line):]
	} else {
		u.piece = u.piece[len(line):]
		if end >= 0 {
			u.piece = u.piece[1:]
		}
	}
	// A CR may belong to a line end whose LF is not read yet.
	if last := len(line) - 1; last >= 0 && line[last] == '\r' && (end >= 0 || len(u.piece) > 0 || !u.ended) {
		line = line[:last]
		u.cr = end < 0
	}
	n += copy(buf[n:], line)
	if end >= 0 || u.complete() {
		f |= ss.EOM
		u.begun = false
	}
	if !u.sent() {
		u.h.RequestTx()
	}
	return n, f, ss.OK
}

// sent reports whether all lines were written to Tx.
func (u *upload) sent() bool { return u.complete() && !u.begun }

// textCheck checks that text in pieces is UTF-8.
type textCheck struct {
	part [utf8.UTFMax]byte // of an incomplete character
	n    int
}

// valid checks the next piece, and with the last piece that the text is complete.
func (c *textCheck) valid(b []byte, last bool) bool {
	for c.n > 0 && len(b) > 0 {
		c.part[c.n], b = b[0], b[1:]
		if c.n++; utf8.FullRune(c.part[:c.n]) {
			if !utf8.Valid(c.part[:c.n]) {
				return false
			}
			c.n = 0
		}
	}
	whole := len(b)
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				whole = i
			}
			break
		}
	}
	if !utf8.Valid(b[:whole]) {
		return false
	}
	c.n += copy(c.part[c.n:], b[whole:])
	return !last || c.n == 0
}

// asLine appends a piece of a message to out in printed form: text unchanged, binary in hexadecimal, and a line end
// after the last piece.
func asLine(out, b []byte, f ss.Flags) []byte {
	if f&ss.Binary != 0 {
		out = hex.AppendEncode(out, b)
	} else {
		out = append(out, b...)
	}
	if f&ss.EOM != 0 {
		out = append(out, '\n')
	}
	return out
}
