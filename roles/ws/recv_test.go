package ws

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// part is a frame of a row: its first octet and payload.
type part struct {
	bits    byte
	payload string
}

// Frames as rows write them.
func text1(s string) part  { return part{bitFin | opText, s} }
func textA(s string) part  { return part{opText, s} }
func bin1(s string) part   { return part{bitFin | opBinary, s} }
func binA(s string) part   { return part{opBinary, s} }
func more(s string) part   { return part{opContinuation, s} }
func fin(s string) part    { return part{bitFin | opContinuation, s} }
func pingF(s string) part  { return part{bitFin | opPing, s} }
func pongF(s string) part  { return part{bitFin | opPong, s} }
func closeF(s string) part { return part{bitFin | opClose, s} }

// rule is the reaction of one end to frames of the other. calls are the calls of an echo's Handler except Closed, sent the
// frames that it sends; code is the close code of a fault, which ends both.
type rule struct {
	name  string
	in    []part
	calls string
	sent  string
	code  Code
}

// rules are those of RFC 6455 s.5 to s.7, with the numbers of the Autobahn test cases. They apply to both ends.
var rules = []rule{
	{"1.1.1 empty text", []part{text1("")}, "text []", "text []", 0},
	{"1.1.2 text of 125", []part{text1(strings.Repeat("*", 125))}, "text [" + strings.Repeat("*", 125) + "]", "text [" + strings.Repeat("*", 125) + "]", 0},
	{"1.1.3 text of 126", []part{text1(strings.Repeat("*", 126))}, "text [" + strings.Repeat("*", 126) + "]", "text [" + strings.Repeat("*", 126) + "]", 0},
	{"1.1.5 text of 128", []part{text1(strings.Repeat("*", 128))}, "text [" + strings.Repeat("*", 128) + "]", "text [" + strings.Repeat("*", 128) + "]", 0},
	{"1.2.1 empty binary", []part{bin1("")}, "binary []", "binary []", 0},
	{"1.2.3 binary of 126", []part{bin1(strings.Repeat("\xfe", 126))}, "binary [" + strings.Repeat("\xfe", 126) + "]", "binary [" + strings.Repeat("\xfe", 126) + "]", 0},

	{"2.1 ping without payload", []part{pingF("")}, "", "pong []", 0},
	{"2.2 ping with text", []part{pingF("Hello, world!")}, "", "pong [Hello, world!]", 0},
	{"2.3 ping with octets", []part{pingF("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, "", "pong [\x00\xff\xfe\xfd\xfc\xfb\x00\xff]", 0},
	{"2.4 ping of 125", []part{pingF(strings.Repeat("\xfe", 125))}, "", "pong [" + strings.Repeat("\xfe", 125) + "]", 0},
	{"2.5 ping of 126", []part{pingF(strings.Repeat("\xfe", 126))}, "", "", Protocol},
	{"2.7 unsolicited pong", []part{pongF("")}, "pong ", "", 0},
	{"2.8 unsolicited pong with payload", []part{pongF("unsolicited pong payload")}, "pong unsolicited pong payload", "", 0},
	{"2.9 pong, then ping", []part{pongF("unsolicited"), pingF("ping payload")}, "pong unsolicited", "pong [ping payload]", 0},
	{"2.10 ten pings", []part{pingF("payload-0"), pingF("payload-1"), pingF("payload-2"), pingF("payload-3"), pingF("payload-4"), pingF("payload-5"), pingF("payload-6"), pingF("payload-7"), pingF("payload-8"), pingF("payload-9")}, "",
		"pong [payload-0]\npong [payload-1]\npong [payload-2]\npong [payload-3]\npong [payload-4]\npong [payload-5]\npong [payload-6]\npong [payload-7]\npong [payload-8]\npong [payload-9]", 0},

	{"3.1 RSV3", []part{{bitFin | 0x10 | opText, "Hello, world!"}}, "", "", Protocol},
	{"3.2 text, text with RSV2, ping", []part{text1("Hello, world!"), {bitFin | 0x20 | opText, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"3.3 text, text with RSV2 and RSV3, ping", []part{text1("Hello, world!"), {bitFin | 0x30 | opText, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"3.4 RSV1 without an extension", []part{text1("Hello, world!"), {bitFin | bitRSV1 | opText, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"3.5 RSV1 and RSV3 on binary", []part{{bitFin | 0x50 | opBinary, "\x00\xff"}}, "", "", Protocol},
	{"3.6 RSV1 and RSV2 on ping", []part{{bitFin | 0x60 | opPing, "Hello, world!"}}, "", "", Protocol},
	{"3.7 RSV1 to RSV3 on close", []part{{bitFin | 0x70 | opClose, closeBody(1000, "")}}, "", "", Protocol},

	{"4.1.1 opcode 3", []part{{bitFin | 3, ""}}, "", "", Protocol},
	{"4.1.2 opcode 4 with payload", []part{{bitFin | 4, "reserved opcode payload"}}, "", "", Protocol},
	{"4.1.3 text, opcode 5, ping", []part{text1("Hello, world!"), {bitFin | 5, ""}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"4.1.4 text, opcode 6 with payload, ping", []part{text1("Hello, world!"), {bitFin | 6, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"4.1.5 text, opcode 7, ping", []part{text1("Hello, world!"), {bitFin | 7, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"4.2.1 opcode 11", []part{{bitFin | 11, ""}}, "", "", Protocol},
	{"4.2.2 opcode 12 with payload", []part{{bitFin | 12, "reserved opcode payload"}}, "", "", Protocol},
	{"4.2.3 text, opcode 13, ping", []part{text1("Hello, world!"), {bitFin | 13, ""}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"4.2.4 text, opcode 14 with payload, ping", []part{text1("Hello, world!"), {bitFin | 14, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},
	{"4.2.5 text, opcode 15, ping", []part{text1("Hello, world!"), {bitFin | 15, "Hello, world!"}, pingF("")}, "text [Hello, world!]", "text [Hello, world!]", Protocol},

	{"5.1 ping in fragments", []part{{opPing, "fragment1"}, fin("fragment2")}, "", "", Protocol},
	{"5.2 pong in fragments", []part{{opPong, "fragment1"}, fin("fragment2")}, "", "", Protocol},
	{"close in fragments", []part{{opClose, closeBody(1000, "")}, fin("")}, "", "", Protocol},
	{"5.3 text in two fragments", []part{textA("fragment1"), fin("fragment2")}, "text [fragment1fragment2]", "text [fragment1\ncontinuation [fragment2]", 0},
	{"5.6 ping between fragments", []part{textA("fragment1"), pingF("ping payload"), fin("fragment2")}, "text [fragment1fragment2]", "text [fragment1\npong [ping payload]\ncontinuation [fragment2]", 0},
	{"pong between fragments", []part{textA("fragment1"), pongF("p"), fin("fragment2")}, "text [fragment1\npong p\n[fragment2]", "text [fragment1\ncontinuation [fragment2]", 0},
	{"5.9 continuation with FIN outside of a message", []part{fin("non-continuation payload"), text1("Hello, world!")}, "", "", Protocol},
	{"5.12 continuation outside of a message", []part{more("non-continuation payload"), text1("Hello, world!")}, "", "", Protocol},
	{"5.15 two fragments, then a continuation outside of a message", []part{textA("fragment1"), fin("fragment2"), more("fragment3"), text1("fragment4")}, "text [fragment1fragment2]", "text [fragment1\ncontinuation [fragment2]", Protocol},
	{"5.16 continuation, text, continuation", []part{more("fragment1"), textA("fragment2"), fin("fragment3")}, "", "", Protocol},
	{"5.17 continuation with FIN, text, continuation", []part{fin("fragment1"), textA("fragment2"), fin("fragment3")}, "", "", Protocol},
	{"5.18 text in text", []part{textA("fragment1"), text1("fragment2")}, "text [fragment1", "text [fragment1", Protocol},
	{"binary in text", []part{textA("fragment1"), bin1("fragment2")}, "text [fragment1", "text [fragment1", Protocol},
	{"5.19 fragments and pings", []part{textA("fragment1"), more("fragment2"), pingF("pongme 1!"), more("fragment3"), more("fragment4"), pingF("pongme 2!"), fin("fragment5")},
		"text [fragment1fragment2fragment3fragment4fragment5]",
		"text [fragment1\ncontinuation [fragment2\npong [pongme 1!]\ncontinuation [fragment3\ncontinuation [fragment4\npong [pongme 2!]\ncontinuation [fragment5]", 0},

	{"6.1.2 three empty fragments", []part{textA(""), more(""), fin("")}, "text []", "text [\ncontinuation []", 0},
	{"6.1.3 payload between empty fragments", []part{textA(""), more("middle frame payload"), fin("")}, "text [middle frame payload]", "text [\ncontinuation [middle frame payload\ncontinuation []", 0},
	{"6.2.2 text cut between characters", []part{textA("Hello-\xc2\xb5@"), fin("\xc3\x9f-UTF-8!!")}, "text [Hello-\xc2\xb5@\xc3\x9f-UTF-8!!]", "text [Hello-\xc2\xb5@\ncontinuation [\xc3\x9f-UTF-8!!]", 0},
	{"6.2.3 text cut inside of characters", []part{textA("\xce"), more("\xba\xe1"), more("\xbd"), more("\xb9"), fin("")}, "text [\xce\xba\xe1\xbd\xb9]", "text [\xce\ncontinuation [\xba\xe1\ncontinuation [\xbd\ncontinuation [\xb9\ncontinuation []", 0},
	{"6.4.1 bad text in the second of three fragments", []part{textA("\xce\xba\xe1\xbd\xb9"), more("\xf4\x90\x80\x80"), fin("edited")}, "text [\xce\xba\xe1\xbd\xb9", "text [\xce\xba\xe1\xbd\xb9", BadPayload},
	{"text ends inside a character", []part{textA("\xce\xba\xe1"), fin("")}, "text [\xce\xba\xe1", "text [\xce\xba\xe1", BadPayload},
	{"text starts with the rest of a character", []part{textA("a"), fin("\xba")}, "text [a", "text [a", BadPayload},
	{"a character that spans two messages", []part{bin1("\xce"), text1("\xba")}, "binary [\xce]", "binary [\xce]", BadPayload},
	{"binary is not checked as UTF-8", []part{binA("\xce"), fin("\xff")}, "binary [\xce\xff]", "binary [\xce\ncontinuation [\xff]", 0},

	{"7.1.1 close", []part{text1("Hello World!"), closeF(closeBody(1000, ""))}, "text [Hello World!]\nclosing 1000 normal closure ", "text [Hello World!]\nclose 1000", 0},
	{"7.1.2 two closes", []part{closeF(closeBody(1000, "")), closeF(closeBody(1000, ""))}, "closing 1000 normal closure ", "close 1000", 0},
	{"7.1.3 ping after close", []part{closeF(closeBody(1000, "")), pingF("")}, "closing 1000 normal closure ", "close 1000", 0},
	{"7.1.4 text after close", []part{closeF(closeBody(1000, "")), text1("Hello World!")}, "closing 1000 normal closure ", "close 1000", 0},
	{"7.1.5 close between fragments", []part{textA("fragment1"), closeF(closeBody(1000, "")), fin("fragment2")}, "text [fragment1\nclosing 1000 normal closure ", "text [fragment1\nclose 1000", 0},
	{"invalid frame after close", []part{closeF(closeBody(1000, "")), {0x73, "\xff\xff\xff"}}, "closing 1000 normal closure ", "close 1000", 0},
	{"7.3.1 close without payload", []part{closeF("")}, "closing 1005 no code ", "close", 0},
	{"7.3.2 close with one octet", []part{closeF("a")}, "", "", Protocol},
	{"7.3.3 close with code", []part{closeF(closeBody(1000, ""))}, "closing 1000 normal closure ", "close 1000", 0},
	{"7.3.4 close with code and reason", []part{closeF(closeBody(1000, "Hello World!"))}, "closing 1000 normal closure Hello World!", "close 1000", 0},
	{"7.3.5 close with the longest reason", []part{closeF(closeBody(1000, strings.Repeat("*", 123)))}, "closing 1000 normal closure " + strings.Repeat("*", 123), "close 1000", 0},
	{"7.3.6 close with a longer reason", []part{closeF(closeBody(1000, strings.Repeat("*", 124)))}, "", "", Protocol},
	{"7.5.1 close with a reason that is not UTF-8", []part{closeF(closeBody(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"))}, "", "", BadPayload},
	{"close with a reason cut inside a character", []part{closeF(closeBody(1000, "\xce"))}, "", "", BadPayload},
}

// bytesOf encodes the frames of a row as the peer of this end.
func bytesOf(client bool, in []part) (b []byte) {
	for _, p := range in {
		b = append(b, frame(!client, p.bits, p.payload)...)
	}
	return b
}

func sides(f func(side string, client bool)) {
	f("server", false)
	f("client", true)
}

func TestRules(t *testing.T) {
	list := rules
	for code := range 5100 {
		if !strings.Contains(" 0 999 1000 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 1011 1012 1013 1014 1015 1016 1100 2000 2999 3000 3999 4000 4999 5000 ", " "+itoa(code)+" ") {
			continue
		}
		r := rule{name: "close code " + itoa(code), in: []part{closeF(closeBody(code, ""))}, code: Protocol}
		// RFC 6455 s.7.4.1 and s.7.4.2, and 1012 to 1014 of the IANA registry.
		if code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999 {
			r.code, r.calls, r.sent = 0, "closing "+Code(code).String()+" ", "close "+itoa(code)
		}
		list = append(list, r)
	}
	for _, s := range texts {
		r := rule{name: "text " + s.name, in: []part{text1(s.s)}, code: BadPayload}
		if s.bad < 0 {
			r.code, r.calls, r.sent = 0, "text ["+s.s+"]", "text ["+s.s+"]"
		}
		list = append(list, r)
	}
	for _, r := range list {
		sides(func(side string, client bool) {
			rolestest.Splits(t, bytesOf(client, r.in), 4, func(how string, feed func(func([]byte))) {
				checkRule(t, &r, side+", "+how, client, Agreed{}, feed)
			})
		})
	}
}

func checkRule(t *testing.T, r *rule, how string, client bool, a Agreed, feed func(func([]byte))) {
	t.Helper()
	h := (&recorder{}).echo()
	sh := newShared()
	_, l := open(sh, client, a, h)
	feed(l.Feed)
	if l.Misuse != "" {
		t.Errorf("%s, %s: %s", r.name, how, l.Misuse)
	}
	calls, sent := h.String(), strings.Join(joinFragments(frames(t, client, l.Out)), "\n")
	if r.code != 0 {
		// What was good before the fault may or may not have been passed on, in part: a fault that shows
		// in a piece takes the piece with it.
		if codeOf(h.cause) != r.code || h.closed != 1 {
			t.Errorf("%s, %s: closed %d times for %v, want a fault with %v", r.name, how, h.closed, h.cause, r.code)
		}
		want := "close " + itoa(int(r.code))
		if lines := strings.Split(sent, "\n"); lines[len(lines)-1] != want {
			t.Errorf("%s, %s: sent is\n%s\nwant it to end with %s", r.name, how, sent, want)
		}
		if l.Mode != roles.Graceful {
			t.Errorf("%s, %s: mode %v, want what was sent to arrive", r.name, how, l.Mode)
		}
		sent = strings.TrimSuffix(strings.TrimSuffix(sent, want), "\n")
		calls = strings.TrimSuffix(calls, "closed: "+errText(h.cause))
		if r.calls != "" && (!strings.HasPrefix(calls, r.calls) || !a.Deflate && !strings.HasPrefix(sent, joinedFrames(r.sent))) {
			t.Errorf("%s, %s: before the fault calls are\n%s\nwant\n%s\nand sent is\n%s\nwant\n%s", r.name, how, calls, r.calls, sent, r.sent)
		}
		return
	}
	calls = strings.TrimSuffix(strings.TrimSuffix(calls, "closed"), "\n")
	if calls != r.calls {
		t.Errorf("%s, %s: calls are\n%s\nwant\n%s", r.name, how, calls, r.calls)
	}
	// Other tests check what is sent with compression.
	if want := joinedFrames(r.sent); sent != want && !a.Deflate {
		t.Errorf("%s, %s: sent is\n%s\nwant\n%s", r.name, how, sent, want)
	}
	closes := strings.Contains(r.sent, "close")
	if client && closes {
		if l.Closing {
			t.Errorf("%s, %s: the client ends the connection, want it left to the server", r.name, how)
		}
		l.End()
	}
	if l.Over != closes || closes && h.cause != nil {
		t.Errorf("%s, %s: over %v, cause %v, want %v, nil", r.name, how, l.Over, h.cause, closes)
	}
}

// joinFragments joins adjacent frames of a message, since the fragments of an echo depend on how its input was split.
func joinFragments(lines []string) (out []string) {
	for _, s := range lines {
		rest, ok := strings.CutPrefix(s, "continuation [")
		if n := len(out); ok && n > 0 && !strings.HasSuffix(out[n-1], "]") {
			out[n-1] += rest
			continue
		}
		out = append(out, s)
	}
	return out
}

func joinedFrames(s string) string {
	return strings.Join(joinFragments(strings.Split(s, "\n")), "\n")
}

func itoa(n int) string { return strings.TrimSpace(strings.Split(Code(n).String(), " ")[0]) }
