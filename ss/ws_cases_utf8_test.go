package ss_test

import (
	"fmt"
	"testing"
	"time"
)

// vss is the text with which most cases of UTF-8 begin: five Greek letters, one of which takes three octets.
const vss = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// wsTexts are the payloads of groups 6.5 to 6.23, in order: those that are UTF-8 have good before them, the others bad.
// They are those of Markus Kuhn's stress test.
func wsTexts() (list []struct{ good, bad []string }) {
	type set = struct{ good, bad []string }
	run := func(first, past byte, between string) (s string) {
		for c := first; c < past; c++ {
			s += string([]byte{c}) + between
		}
		return s
	}
	list = append(list, set{good: []string{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", vss}})
	var prefixes set
	for i := 1; i <= len(vss); i++ {
		switch i {
		case 2, 5, 7, 9, 11:
			prefixes.good = append(prefixes.good, vss[:i])
		default:
			prefixes.bad = append(prefixes.bad, vss[:i])
		}
	}
	list = append(list, prefixes,
		set{good: []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
		set{bad: []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
		set{good: []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
		set{bad: []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
		set{good: []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"}, bad: []string{"\xf4\x90\x80\x80"}},
		set{bad: []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", run(0x80, 0xbf, "")}},
		set{bad: []string{run(0xc0, 0xdf, " "), run(0xe0, 0xef, " "), run(0xf0, 0xf7, " "), run(0xf8, 0xfb, " "), run(0xfc, 0xfd, " ")}})
	cut := []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}
	all := ""
	for _, s := range cut {
		all += s
	}
	list = append(list, set{bad: cut}, set{bad: []string{all}},
		set{bad: []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		set{bad: []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}},
		set{bad: []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}},
		set{bad: []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}})
	surrogates := []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}
	var pairs set
	for _, high := range surrogates[:4] {
		pairs.bad = append(pairs.bad, high+"\xed\xb0\x80", high+"\xed\xbf\xbf")
	}
	// What is no character is good text all the same: the last two of each of the seventeen planes.
	var none set
	for plane := rune(0); plane <= 16; plane++ {
		none.good = append(none.good, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return append(list, set{bad: surrogates}, pairs, none,
		set{good: []string{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"}})
}

// octets are frames with one octet of s each, and an empty one after them.
func octets(s string) (list []wsOut) {
	bits := byte(wsText)
	for i := range len(s) {
		list = append(list, wsOut{bits, s[i : i+1]})
		bits = wsCont
	}
	return append(list, wsOut{wsFin | wsCont, ""})
}

// TestWebSocketTexts are the cases of UTF-8 that is good or bad, in one frame and in many.
func TestWebSocketTexts(t *testing.T) {
	const long = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
	bad := vss + "\xed\xa0\x80edited"
	list := []wsCase{
		{"6.1.1", []wsOut{{wsFin | wsText, ""}}, []string{"text "}, wsAsks, 1000},
		{"6.1.2", []wsOut{{wsText, ""}, {wsCont, ""}, {wsFin | wsCont, ""}}, []string{"text "}, wsAsks, 1000},
		{"6.1.3", []wsOut{{wsText, ""}, {wsCont, "middle frame payload"}, {wsFin | wsCont, ""}}, []string{"text middle frame payload"}, wsAsks, 1000},
		{"6.2.1", []wsOut{{wsFin | wsText, long}}, []string{"text " + long}, wsAsks, 1000},
		{"6.2.2", []wsOut{{wsText, long[:12]}, {wsFin | wsCont, long[12:]}}, []string{"text " + long}, wsAsks, 1000},
		{"6.2.3", octets(long), []string{"text " + long}, wsAsks, 1000},
		{"6.2.4", octets(vss), []string{"text " + vss}, wsAsks, 1000},
		{"6.3.1", []wsOut{{wsFin | wsText, bad}}, nil, wsFails, 1007},
		{"6.3.2", octets(bad), nil, wsFails, 1007},
	}
	for i, set := range wsTexts() {
		for j, s := range set.good {
			list = append(list, wsCase{fmt.Sprintf("6.%d, good text %d", 5+i, j+1), []wsOut{{wsFin | wsText, s}}, []string{"text " + s}, wsAsks, 1000})
		}
		for j, s := range set.bad {
			list = append(list, wsCase{fmt.Sprintf("6.%d, bad text %d", 5+i, j+1), []wsOut{{wsFin | wsText, s}}, nil, wsFails, 1007})
		}
	}
	for _, end := range wsEnds {
		for _, c := range list {
			wsPlay(t, end, c, 0)
			wsPlay(t, end, c, 1)
		}
	}
}

// TestWebSocketFailsFast are cases 6.4.1 to 6.4.4: the connection is failed by the octet that spoils a text, which is the
// thirteenth, whatever comes after it, and not before.
func TestWebSocketFailsFast(t *testing.T) {
	const whole = vss + "\xf4\x90\x80\x80edited"
	for _, end := range wsEnds {
		for _, cut := range [][2]int{{11, 15}, {12, 13}} {
			for _, frames := range []bool{true, false} {
				what := fmt.Sprintf("%s, cut at %v, frames %v", end, cut, frames)
				p, m := wsMeet(t, end, plan{})
				parts := []string{whole[:cut[0]], whole[cut[0]:cut[1]], whole[cut[1]:]}
				var octets [][]byte
				if frames {
					for i, s := range parts {
						octets = append(octets, p.appendFrame(nil, []byte{wsText, wsCont, wsFin | wsCont}[i], s))
					}
				} else {
					b := p.appendFrame(nil, wsFin|wsText, whole)
					head := len(b) - len(whole)
					octets = [][]byte{b[:head+cut[0]], b[head+cut[0] : head+cut[1]], b[head+cut[1]:]}
				}
				p.send(octets[0], 0)
				p.wait(time.Second)
				if p.code >= 0 || p.end != "" {
					t.Errorf("%s: failed before the text is spoilt: %s", what, p.heard())
				}
				p.send(octets[1], 0)
				p.conclude(what, m, wsFails, 1007)
				p.w.End()
			}
		}
	}
	// Inside of the character as well: 0xf4 may be followed by 0x80 to 0x8f.
	for _, end := range wsEnds {
		p, m := wsMeet(t, end, plan{})
		b := p.appendFrame(nil, wsFin|wsText, whole)
		for i := range b {
			if p.send(b[i:i+1], 1); p.code >= 0 || p.end != "" {
				if want := len(b) - len(whole) + 12; i != want {
					t.Errorf("%s: failed by octet %d, want %d: %s", end, i, want, p.heard())
				}
				break
			}
		}
		p.conclude(end+", octet by octet", m, wsFails, 1007)
		p.w.End()
	}
}

// TestWebSocketPingsBetween are cases 5.19 and 5.20: pings between fragments are answered when they come, not when the
// message is complete.
func TestWebSocketPingsBetween(t *testing.T) {
	for _, end := range wsEnds {
		for _, chop := range []int{0, 1} {
			what := fmt.Sprintf("%s, %d octets at a time", end, chop)
			p, m := wsMeet(t, end, plan{})
			part := func(heard int, frames ...wsOut) {
				var b []byte
				for _, f := range frames {
					b = p.appendFrame(b, f.bits, f.payload)
				}
				p.send(b, chop)
				p.want(what, []string{"pong pongme 1!", "pong pongme 2!", "text fragment1fragment2fragment3fragment4fragment5"}[:heard])
				p.wait(time.Second)
			}
			part(1, wsOut{wsText, "fragment1"}, wsOut{wsCont, "fragment2"}, wsOut{wsFin | wsPing, "pongme 1!"})
			part(2, wsOut{wsCont, "fragment3"}, wsOut{wsCont, "fragment4"}, wsOut{wsFin | wsPing, "pongme 2!"})
			part(3, wsOut{wsFin | wsCont, "fragment5"})
			p.conclude(what, m, wsAsks, 1000)
			p.w.End()
		}
	}
}
