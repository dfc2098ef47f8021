package roles

import (
	"strconv"
	"unicode/utf8"
)

const (
	// quoteMax is the most bytes of a peer's text that Quote shows: enough to recognise it by.
	quoteMax = 256
	// plainMax is the same of Plain, which is used for whole errors.
	plainMax = 4096
)

// Quote makes a peer's text fit for an error or a log line: in quotation marks, with what does not print
// escaped as in a Go string (control characters, invalid UTF-8, marks that change the direction of writing), and
// shortened to 256 bytes before that.
func Quote(s string) string {
	s, more := shorten(s, quoteMax)
	return strconv.Quote(s) + more
}

// Plain is Quote without quotation marks, for text that is a sentence already, of at most 4,096 bytes: what prints stays
// as it is, so that Plain changes nothing in harmless text.
func Plain(s string) string {
	s, more := shorten(s, plainMax)
	n := printable(s)
	if n == len(s) {
		return s + more
	}
	b := append(make([]byte, 0, len(s)+16), s[:n]...)
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if k := printable(s[n : n+size]); k > 0 {
			b = append(b, s[n:n+size]...)
		} else {
			q := strconv.AppendQuote(nil, s[n:n+size])
			b = append(b, q[1:len(q)-1]...)
		}
		n += size
	}
	return string(b) + more
}

// printable is the length of the part of s from its beginning that prints.
func printable(s string) (n int) {
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !strconv.IsPrint(r) || r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// shorten cuts s to at most so many bytes, between two characters, and tells how many are missing.
func shorten(s string, most int) (_, more string) {
	if len(s) <= most {
		return s, ""
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], "... (" + strconv.Itoa(len(s)-n) + " more bytes)"
}
