package ss_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wsProse is text of n octets that no two places of have much in common, so that pieces in the wrong order show.
func wsProse(n int) string {
	b := make([]byte, 0, n+16)
	for i := int64(0); len(b) < n; i++ {
		b = append(strconv.AppendInt(b, i, 16), '-')
	}
	return string(b[:n])
}

// wsSound is n octets that are no text.
func wsSound(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// TestWebSocketLargeMessages are group 9 and case 10.1.1: messages up to 16 MiB in one frame, in fragments and in pieces
// of 64 octets, echoed by streams that buffer little of them.
func TestWebSocketLargeMessages(t *testing.T) {
	type row struct{ size, frame, chop int }
	var rows []row
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} { // 9.1, 9.2
		rows = append(rows, row{size, 0, 0})
	}
	for frame := 64; frame <= 4<<20; frame *= 4 { // 9.3, 9.4
		rows = append(rows, row{4 << 20, frame, 0})
	}
	for chop := 64; chop <= 2048; chop *= 2 { // 9.5, 9.6
		rows = append(rows, row{1 << 20, 0, chop})
	}
	rows = append(rows, row{65536, 1300, 0}) // 10.1.1
	prose, sound := wsProse(16<<20), wsSound(16<<20)
	for _, end := range wsEnds {
		for _, kind := range []string{"text", "binary"} {
			for _, r := range rows {
				if testing.Short() && (r.size > 1<<20 || r.chop > 0 && r.chop < 1024) {
					continue
				}
				if strings.HasSuffix(end, "h2") && (r.size > 4<<20 || r.chop > 0 && r.chop < 512) {
					continue
				}
				what := fmt.Sprintf("%s, %s, %+v", end, kind, r)
				msg, bits := prose[:r.size], byte(wsText)
				if kind == "binary" {
					msg, bits = sound[:r.size], wsBin
				}
				p, m := wsMeet(t, end, plan{})
				got, ok := 0, false
				p.onMsg = func(k, s string) { got++; ok = k == kind && s == msg }
				var b []byte
				for rest := msg; ; bits = wsCont {
					n := len(rest)
					if r.frame > 0 {
						n = min(n, r.frame)
					}
					if n == len(rest) {
						bits |= wsFin
					}
					b = p.appendFrame(b, bits, rest[:n])
					if rest = rest[n:]; rest == "" {
						break
					}
				}
				p.send(b, r.chop)
				p.within(atOnce, what+": echo", func() bool { return got > 0 || p.end != "" })
				if got != 1 || !ok {
					t.Errorf("%s: %d messages came back, as sent: %v", what, got, ok)
				}
				// The limit, plus the read in progress.
				if m.most > 128<<10 {
					t.Errorf("%s: the stream has held %d octets", what, m.most)
				}
				p.conclude(what, m, wsAsks, 1000)
				p.w.End()
			}
		}
	}
}

// TestWebSocketManyMessages are cases 9.7 and 9.8: a thousand messages, each after the echo of the previous one.
func TestWebSocketManyMessages(t *testing.T) {
	for _, end := range wsEnds {
		for _, size := range []int{0, 16, 64, 256, 1024, 4096} {
			for _, kind := range []string{"text", "binary"} {
				what := fmt.Sprintf("%s, %d octets of %s", end, size, kind)
				msg, bits := wsProse(size), byte(wsFin|wsText)
				if kind == "binary" {
					msg, bits = wsSound(size), wsFin|wsBin
				}
				p, m := wsMeet(t, end, plan{})
				sent, spoilt := 0, 0
				next := func() {
					sent++
					p.out = p.appendFrame(p.out, bits, msg)
				}
				p.onMsg = func(k, s string) {
					if k != kind || s != msg {
						spoilt++
					}
					if sent < 1000 {
						next()
						return
					}
					sent++
				}
				next()
				p.within(time.Second, what+": last echo", func() bool { return sent > 1000 || p.end != "" })
				if spoilt > 0 {
					t.Errorf("%s: %d of %d messages came back otherwise than they were sent", what, spoilt, sent)
				}
				p.conclude(what, m, wsAsks, 1000)
				p.w.End()
			}
		}
	}
}
