package h2

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// verdict returns the resets and GOAWAY in our output.
func verdict(out string) string {
	var s []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "reset ") || strings.HasPrefix(line, "goaway ") {
			s = append(s, strings.TrimSpace(line))
		}
	}
	return strings.Join(s, ", ")
}

// faultRow is a row of the tables: frames, and the answer to them.
type faultRow struct {
	name string
	in   string
	want string // "": no fault
}

var (
	ps = swap(ask, ":method", "POST")
	// one is a request that is open.
	one = postReq(1)
)

// serverFaults are frames of a client and a server's answers, by section of RFC 9113.
var serverFaults = []faultRow{
	// 3.4: the preface came before; a second one is a frame of another protocol.
	{"s.4.1 unknown type", fr(0x77, 0xff, 0, "whatever") + fr(0x78, 0, 9, ""), ""},
	{"s.4.1 unknown flags", fr(framePing, 0xfe, 0, "12345678"), ""},
	{"s.4.1 reserved bit of the stream", "\x00\x00\x08\x06\x00\x80\x00\x00\x00" + "12345678", ""},
	{"s.4.2 longest frame", one + data(1, 0, strings.Repeat("x", 16384)), ""},
	{"s.4.2 longer than announced", one + "\x00\x40\x01\x00\x00\x00\x00\x00\x01", "goaway 1 FRAME_SIZE_ERROR"},
	{"s.4.3 block broken", fr(frameHeaders, endH|endS, 1, "\x80"), "goaway 0 COMPRESSION_ERROR"},
	{"s.4.3 block of a closed stream broken", one + rst(1, Cancel) + fr(frameHeaders, endH, 1, "\xff\xff\xff\xff\xff\xff\xff"), "goaway 1 COMPRESSION_ERROR"},
	{"s.4.3 block ends in the middle", fr(frameHeaders, endH|endS, 1, "\x00\x05abc"), "goaway 0 COMPRESSION_ERROR"},
	{"s.4.3 table above the limit", fr(frameHeaders, endH|endS, 1, "\x3f\xe2\x1f"+blk(ask...)), "goaway 0 COMPRESSION_ERROR"},
	{"s.4.3 table at the limit", fr(frameHeaders, endH|endS, 1, "\x3f\xe1\x1f"+blk(ask...)), ""},

	{"s.5.1 idle: DATA", data(1, 0, "x"), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: RST_STREAM", rst(1, Cancel), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: WINDOW_UPDATE", win(1, 1), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: PRIORITY", fr(framePriority, 0, 1, u32(0)+"\x10"), ""},
	{"s.5.1 half closed: DATA", hdrs(1, endS, ps...) + data(1, 0, "x"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 half closed: HEADERS", hdrs(1, endS, ps...) + hdrs(1, endS, "x", "y"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 half closed: WINDOW_UPDATE, PRIORITY", hdrs(1, endS, ps...) + win(1, 5) + fr(framePriority, 0, 1, u32(0)+"\x10"), ""},
	{"s.5.1 reset by the peer: DATA", one + rst(1, Cancel) + data(1, 0, "x"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 reset by the peer: HEADERS", one + rst(1, Cancel) + hdrs(1, endS, "x", "y"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 reset by the peer: WINDOW_UPDATE, RST_STREAM, PRIORITY", one + rst(1, Cancel) + win(1, 1) + rst(1, Cancel) + fr(framePriority, 0, 1, u32(0)+"\x10"), ""},
	{"s.5.1 reset by us: DATA, HEADERS", hdrs(1, 0, with(ask, "Bad", "")...) + data(1, 0, "x") + hdrs(1, endS, "x", "y"), "reset 1 PROTOCOL_ERROR"},
	{"s.5.1.1 even number", getReq(2), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1.1 number that was passed over", one + postReq(9) + postReq(7), "goaway 9 PROTOCOL_ERROR"},
	{"s.5.3.1 HEADERS depends on itself", fr(frameHeaders, endH|endS|flagPriority, 1, u32(1)+"\x10"+blk(ask...)), "reset 1 PROTOCOL_ERROR"},
	{"s.5.3.1 HEADERS depends on another", fr(frameHeaders, endH|endS|flagPriority, 3, u32(1<<31|1)+"\x10"+blk(ps...)), ""},
	{"s.5.3.1 PRIORITY on itself, open", one + fr(framePriority, 0, 1, u32(1)+"\x10"), "reset 1 PROTOCOL_ERROR"},
	{"s.5.3.1 PRIORITY on itself, idle", fr(framePriority, 0, 1, u32(1)+"\x10"), "goaway 0 PROTOCOL_ERROR"},

	{"s.6.1 DATA on stream 0", data(0, 0, "x"), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.1 padding", one + data(1, flagPadded, "\x03abc\x00\x00\x00"), ""},
	{"s.6.1 padding alone", one + data(1, flagPadded, "\x03\x00\x00\x00"), ""},
	{"s.6.1 padding is all", one + data(1, flagPadded, "\x00"), ""},
	{"s.6.1 padding longer than the frame", one + data(1, flagPadded, "\x04abc"), "goaway 1 PROTOCOL_ERROR"},
	{"s.6.1 padded without a length", one + data(1, flagPadded, ""), "goaway 1 FRAME_SIZE_ERROR"},
	{"s.6.2 HEADERS on stream 0", hdrs(0, endS, ask...), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.2 padding", fr(frameHeaders, endH|flagPadded, 1, "\x02"+blk(ps...)+"\x00\x00"), ""},
	{"s.6.2 padding longer than the frame", fr(frameHeaders, endH|endS|flagPadded, 1, "\xffabc"), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.2 padded without a length", fr(frameHeaders, endH|endS|flagPadded, 1, ""), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.2 priority cut short", fr(frameHeaders, endH|endS|flagPriority, 1, "abcd"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.3 PRIORITY on stream 0", fr(framePriority, 0, 0, u32(1)+"\x10"), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.3 PRIORITY of 4 octets, open", one + fr(framePriority, 0, 1, "abcd"), "reset 1 FRAME_SIZE_ERROR"},
	{"s.6.3 PRIORITY of 6 octets, idle", fr(framePriority, 0, 1, "abcdef"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.4 RST_STREAM on stream 0", rst(0, Cancel), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.4 RST_STREAM of 3 octets", one + fr(frameReset, 0, 1, "abc"), "goaway 1 FRAME_SIZE_ERROR"},
	{"s.6.4 RST_STREAM of an unknown code", one + rst(1, 0xabcdef), ""},
	{"s.6.5 SETTINGS on a stream", fr(frameSettings, 0, 1, ""), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.5 SETTINGS of 5 octets", fr(frameSettings, 0, 0, "abcde"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.5 acknowledgement with a payload", fr(frameSettings, flagAck, 0, "abcdef"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.5 acknowledgement that was not asked for", setack + setack, ""},
	{"s.6.5.2 unknown setting", setting(0x99, 1<<32-1), ""},
	{"s.6.5.2 ENABLE_PUSH 0, 1", setting(settingPush, 1, settingPush, 0), ""},
	{"s.6.5.2 ENABLE_PUSH 2", setting(settingPush, 2), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.5.2 INITIAL_WINDOW_SIZE at its most", setting(settingWindow, maxWindow), ""},
	{"s.6.5.2 INITIAL_WINDOW_SIZE above it", setting(settingWindow, maxWindow+1), "goaway 0 FLOW_CONTROL_ERROR"},
	{"s.6.5.2 MAX_FRAME_SIZE at its least and its most", setting(settingFrame, 16384, settingFrame, 1<<24-1), ""},
	{"s.6.5.2 MAX_FRAME_SIZE below", setting(settingFrame, 16383), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.5.2 MAX_FRAME_SIZE above", setting(settingFrame, 1<<24), "goaway 0 PROTOCOL_ERROR"},
	{"RFC 9218 s.2.1 NO_RFC7540_PRIORITIES 2", setting(settingNoPriorities, 2), "goaway 0 PROTOCOL_ERROR"},
	{"RFC 8441 s.3 ENABLE_CONNECT_PROTOCOL 2", setting(settingConnect, 2), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.6 PUSH_PROMISE", one + fr(framePush, endH, 1, u32(2)+blk(ask...)), "goaway 1 PROTOCOL_ERROR"},
	{"s.6.7 PING on a stream", fr(framePing, 0, 1, "12345678"), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.7 PING of 7 octets", fr(framePing, 0, 0, "1234567"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.7 acknowledgement that was not asked for", fr(framePing, flagAck, 0, "12345678"), ""},
	{"s.6.8 GOAWAY on a stream", fr(frameGoAway, 0, 1, u32(0)+u32(0)), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.8 GOAWAY of 7 octets", fr(frameGoAway, 0, 0, "abcdefg"), "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.8 GOAWAY, and a request after it", goaway(0, NoError) + one, ""},
	{"s.6.9 WINDOW_UPDATE of 3 octets", win(0, 1)[:headerLen-7] + "\x03\x08\x00\x00\x00\x00\x00" + "abc", "goaway 0 FRAME_SIZE_ERROR"},
	{"s.6.9 increment of 0, connection", win(0, 0), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.9 increment of 0, stream", one + win(1, 0), "reset 1 PROTOCOL_ERROR"},
	{"s.6.9 reserved bit", one + win(1, 1<<31|5), ""},
	{"s.6.9.1 connection's window at its most", win(0, maxWindow-65535), ""},
	{"s.6.9.1 connection's window above it", win(0, maxWindow-65534), "goaway 0 FLOW_CONTROL_ERROR"},
	{"s.6.9.1 stream's window at its most", one + win(1, maxWindow-65535), ""},
	{"s.6.9.1 stream's window above it", one + win(1, maxWindow-65534), "reset 1 FLOW_CONTROL_ERROR"},
	{"s.6.9.2 settings take a stream's window above it", one + win(1, maxWindow-65535) + setting(settingWindow, 65536), "goaway 1 FLOW_CONTROL_ERROR"},
	{"s.6.10 CONTINUATION", fr(frameHeaders, 0, 1, blk(ps...)[:9]) + fr(frameContinuation, 0, 1, blk(ps...)[9:20]) + fr(frameContinuation, 0, 1, "") + fr(frameContinuation, endH, 1, blk(ps...)[20:]), ""},
	{"s.6.10 CONTINUATION with nothing open", fr(frameContinuation, endH, 1, ""), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.10 CONTINUATION after a complete block", one + fr(frameContinuation, endH, 1, ""), "goaway 1 PROTOCOL_ERROR"},
	{"s.6.10 CONTINUATION of another stream", fr(frameHeaders, 0, 1, blk(ask...)) + fr(frameContinuation, endH, 3, ""), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.10 CONTINUATION of stream 0", fr(frameHeaders, 0, 1, blk(ask...)) + fr(frameContinuation, endH, 0, ""), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.10 another frame inside", one + fr(frameHeaders, 0, 3, blk(ask...)) + data(1, 0, "x"), "goaway 1 PROTOCOL_ERROR"},
	{"s.5.5 unknown frame inside of a block", fr(frameHeaders, 0, 1, blk(ask...)) + fr(0x77, 0, 1, ""), "goaway 0 PROTOCOL_ERROR"},

	{"s.8.1 trailers", one + hdrs(1, endS, "x-sum", "5"), ""},
	{"s.8.1 trailers without END_STREAM", one + hdrs(1, 0, "x-sum", "5"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1 trailers with a pseudo field", one + hdrs(1, endS, ":path", "/"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1 trailers with a length", one + hdrs(1, endS, "content-length", "0"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length met", hdrs(1, 0, with(ps, "content-length", "3")...) + data(1, 0, "ab") + data(1, endS, "c"), ""},
	{"s.8.1.1 length passed", hdrs(1, 0, with(ps, "content-length", "3")...) + data(1, 0, "abcd"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length not met, by DATA", hdrs(1, 0, with(ps, "content-length", "3")...) + data(1, endS, "ab"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length not met, by no body", hdrs(1, endS, with(ps, "content-length", "3")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length not met, by trailers", hdrs(1, 0, with(ps, "content-length", "3")...) + hdrs(1, endS, "a", "b"), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length twice the same", hdrs(1, 0, with(ps, "content-length", "3", "content-length", "3")...), "reset 1 PROTOCOL_ERROR"}, // as on h1
	{"s.8.1.1 length of a list", hdrs(1, 0, with(ps, "content-length", "3, 3")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 two lengths", hdrs(1, 0, with(ps, "content-length", "3", "content-length", "4")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length of nothing", hdrs(1, endS, with(ps, "content-length", "")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.1.1 length below 0", hdrs(1, 0, with(ps, "content-length", "-1")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2 name in capitals", hdrs(1, endS, with(ask, "X-A", "b")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2 name with a space", hdrs(1, endS, with(ask, "x a", "b")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2 empty name", hdrs(1, endS, with(ask, "", "b")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2 value with a line end", hdrs(1, endS, with(ask, "x", "a\r\nb: c")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2 value with a NUL", hdrs(1, endS, with(ask, "x", "a\x00")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.1 value begins with a space", hdrs(1, endS, with(ask, "x", " a")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.1 value ends with a tab", hdrs(1, endS, with(ask, "x", "a\t")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 connection", hdrs(1, endS, with(ask, "connection", "close")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 keep-alive", hdrs(1, endS, with(ask, "keep-alive", "1")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 proxy-connection", hdrs(1, endS, with(ask, "proxy-connection", "x")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 transfer-encoding", hdrs(1, 0, with(ps, "transfer-encoding", "chunked")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 upgrade", hdrs(1, endS, with(ask, "upgrade", "h2c")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.2.2 te: trailers", hdrs(1, 0, with(ps, "te", "trailers")...), ""},
	{"s.8.2.2 te: gzip", hdrs(1, endS, with(ask, "te", "gzip")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3 unknown pseudo field", hdrs(1, endS, with([]string{":x", "y"}, ask...)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3 pseudo field of a response", hdrs(1, endS, with([]string{":status", "200"}, ask...)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3 pseudo field after another field", hdrs(1, endS, with([]string{"x", "y"}, ask...)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3 pseudo field twice", hdrs(1, endS, with([]string{":path", "/"}, ask...)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 no :method", hdrs(1, endS, swap(ask, ":method", "")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 no :scheme", hdrs(1, endS, swap(ask, ":scheme", "")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 no :path", hdrs(1, endS, swap(ask, ":path", "")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path is empty", hdrs(1, endS, ":method", "GET", ":scheme", "https", ":path", ""), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path is relative", hdrs(1, endS, swap(ask, ":path", "x")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path * for GET", hdrs(1, endS, swap(ask, ":path", "*")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path * for OPTIONS", hdrs(1, 0, swap(swap(ask, ":path", "*"), ":method", "OPTIONS")...), ""},
	{"s.8.3.1 :authority of a Unix socket", hdrs(1, endS, swap(ask, ":authority", "+@x")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path with a bar", hdrs(1, endS, swap(ask, ":path", "/a|b")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path with a bracket", hdrs(1, endS, swap(ask, ":path", "/a[b?c")...), "reset 1 PROTOCOL_ERROR"},
	{":path with brackets in its query", hdrs(1, 0, swap(ask, ":path", "/a?b[]=c&d[0]=e")...), ""},
	{"s.8.3.1 :path with a backslash", hdrs(1, endS, swap(ask, ":path", `/a\b`)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path with a quote in its query", hdrs(1, endS, swap(ask, ":path", `/?"`)...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path with a bad escape", hdrs(1, endS, swap(ask, ":path", "/%zz")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :path with a fragment", hdrs(1, endS, swap(ask, ":path", "/#x")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :method with a space", hdrs(1, endS, swap(ask, ":method", "GET /")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 :authority with userinfo", hdrs(1, endS, swap(ask, ":authority", "u@a")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 no :authority", hdrs(1, 0, swap(ps, ":authority", "")...), ""},
	{"s.8.3.1 host for :authority", hdrs(1, 0, with(swap(ps, ":authority", ""), "host", "b")...), ""},
	{"s.8.3.1 host agrees", hdrs(1, 0, with(ps, "host", "A.example")...), ""},
	{"s.8.3.1 host differs", hdrs(1, endS, with(ask, "host", "b.example")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.3.1 two hosts", hdrs(1, endS, with(ask, "host", "a.example", "host", "a.example")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.5 CONNECT with a path", hdrs(1, 0, swap(ask, ":method", "CONNECT")...), "reset 1 PROTOCOL_ERROR"},
	{"s.8.5 CONNECT without authority", hdrs(1, 0, ":method", "CONNECT"), "reset 1 PROTOCOL_ERROR"},
	{"RFC 8441 s.4 :protocol", hdrs(1, 0, with([]string{":protocol", "websocket"}, swap(ask, ":method", "CONNECT")...)...), ""},
	{"RFC 8441 s.4 :protocol without CONNECT", hdrs(1, endS, with([]string{":protocol", "websocket"}, ask...)...), "reset 1 PROTOCOL_ERROR"},
	{"RFC 8441 s.4 :protocol without a path", hdrs(1, 0, ":method", "CONNECT", ":protocol", "x", ":scheme", "https", ":authority", "a"), "reset 1 PROTOCOL_ERROR"},
	{"RFC 9218 s.7.1 PRIORITY_UPDATE", one + fr(framePriorityUpdate, 0, 0, u32(1)+"u=1, i") + fr(framePriorityUpdate, 0, 0, u32(77)+"u=9"), ""},
	{"RFC 9218 s.7.1 on a stream", one + fr(framePriorityUpdate, 0, 1, u32(1)+"u=1"), "goaway 1 PROTOCOL_ERROR"},
	{"RFC 9218 s.7.1 for stream 0", fr(framePriorityUpdate, 0, 0, u32(0)+"u=1"), "goaway 0 PROTOCOL_ERROR"},
	{"RFC 9218 s.7.1 for a push", fr(framePriorityUpdate, 0, 0, u32(2)+"u=1"), "goaway 0 PROTOCOL_ERROR"},
	{"RFC 9218 s.7.1 of 3 octets", fr(framePriorityUpdate, 0, 0, "abc"), "goaway 0 FRAME_SIZE_ERROR"},
}

// TestServerFaults feeds each row whole, octet by octet and in random pieces: the verdict and the handlers' calls
// must be the same, and a PING after a fault that does not end the connection must be answered.
func TestServerFaults(t *testing.T) {
	for _, c := range serverFaults {
		t.Run(c.name, func(t *testing.T) {
			calls := ""
			rolestest.Splits(t, []byte(hello+c.in+fr(framePing, 0, 0, "still on")), 4, func(how string, feed func(func([]byte))) {
				v := serve(DefaultConfig())
				// No handler answers, so that only the row closes a stream.
				v.setup = func(_ int, r *recorder) { r.head.Status = 0 }
				feed(func(b []byte) { v.l.Feed(b) })
				out := v.out(t)
				if got := verdict(out); got != c.want {
					t.Errorf("%s: got %q, want %q", how, got, c.want)
				}
				if lives := strings.Contains(out, `ping "still on" ack`); lives == strings.HasPrefix(c.want, "goaway") {
					t.Errorf("%s: connection still open: %t", how, lives)
				}
				if strings.HasPrefix(c.want, "goaway") != (v.l.Closing || v.l.Over) {
					t.Errorf("%s: closing %t", how, v.l.Closing)
				}
				v.over(t)
				got := joined(v.log.String())
				if calls == "" {
					calls = got
				} else if got != calls {
					t.Errorf("%s: calls\n%s\nwhole:\n%s", how, got, calls)
				}
				n := v.sh.Counters
				if c.want != "" && n.Malformed == 0 || (n.Failed == 1) != strings.HasPrefix(c.want, "goaway") || int(n.ResetsOut) != strings.Count(c.want, "reset") {
					t.Errorf("%s: counted %+v", how, n)
				}
			})
		})
	}
}

// TestPrefaces: the first octets of a connection (RFC 9113 s.3.4).
func TestPrefaces(t *testing.T) {
	for _, c := range []faultRow{
		{"HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "goaway 0 PROTOCOL_ERROR"},
		{"one octet is wrong", strings.Replace(preface, "SM", "SX", 1), "goaway 0 PROTOCOL_ERROR"},
		{"no SETTINGS", preface + fr(framePing, 0, 0, "12345678"), "goaway 0 PROTOCOL_ERROR"},
		{"an acknowledgement first", preface + setack, "goaway 0 PROTOCOL_ERROR"},
		{"SETTINGS", preface + setting(), ""},
		{"cut short", preface[:20], ""},
	} {
		rolestest.Splits(t, []byte(c.in), 3, func(how string, feed func(func([]byte))) {
			v := serve(DefaultConfig())
			feed(func(b []byte) { v.l.Feed(b) })
			if got := verdict(v.out(t)); got != c.want {
				t.Errorf("%s, %s: got %q, want %q", c.name, how, got, c.want)
			}
			v.over(t)
		})
	}
}

// clientFaults are frames of a server and a client's answers, after a POST on stream 1 whose body is not complete and
// a GET on stream 3.
var clientFaults = []faultRow{
	{"response", hdrs(3, 0, ":status", "200") + data(3, endS, "x"), ""},
	{"s.5.1 idle: HEADERS", hdrs(5, endS, ":status", "200"), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: DATA", data(5, 0, "x"), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: RST_STREAM", rst(5, Cancel), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 idle: WINDOW_UPDATE", win(5, 1), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 even: HEADERS", hdrs(2, endS, ":status", "200"), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 even: DATA", data(2, endS, "x"), "goaway 0 PROTOCOL_ERROR"},
	{"s.5.1 half closed: DATA", hdrs(1, endS, ":status", "200") + data(1, 0, "x"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 half closed: HEADERS", hdrs(1, endS, ":status", "200") + hdrs(1, endS, ":status", "200"), "reset 1 STREAM_CLOSED"},
	{"s.5.1 closed: DATA", hdrs(3, endS, ":status", "200") + data(3, 0, "x"), "goaway 0 STREAM_CLOSED"},
	{"s.5.1 closed: HEADERS", hdrs(3, endS, ":status", "200") + hdrs(3, endS, ":status", "200"), "goaway 0 STREAM_CLOSED"},
	{"s.5.1 closed: WINDOW_UPDATE, RST_STREAM", hdrs(3, endS, ":status", "200") + win(3, 1) + rst(3, NoError), ""},
	{"s.5.1 reset by the peer: HEADERS", rst(3, Cancel) + hdrs(3, endS, ":status", "200"), "reset 3 STREAM_CLOSED"},
	{"s.6.5.2 ENABLE_PUSH 1", setting(settingPush, 1), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.5.2 ENABLE_PUSH 0", setting(settingPush, 0), ""},
	{"RFC 8441 s.3 from 1 to 0", setting(settingConnect, 1, settingConnect, 0), "goaway 0 PROTOCOL_ERROR"},
	{"s.6.6 PUSH_PROMISE", fr(framePush, endH, 3, u32(2)+blk(ask...)), "goaway 0 PROTOCOL_ERROR"},
	{"RFC 9218 s.7.1 PRIORITY_UPDATE", fr(framePriorityUpdate, 0, 0, u32(1)+"u=1"), "goaway 0 PROTOCOL_ERROR"},
	{"s.8.1 DATA before the head", data(3, 0, "x"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1 DATA after an interim head", hdrs(3, 0, ":status", "103") + data(3, 0, "x"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1 interim heads", hdrs(3, 0, ":status", "103") + hdrs(3, 0, ":status", "100") + hdrs(3, endS, ":status", "200"), ""},
	{"s.8.1 interim head with END_STREAM", hdrs(3, endS, ":status", "103"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1 16 interim heads", strings.Repeat(hdrs(3, 0, ":status", "103"), 16) + hdrs(3, endS, ":status", "200"), ""},
	{"s.8.1 17 interim heads", strings.Repeat(hdrs(3, 0, ":status", "103"), 17), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1 trailers", hdrs(3, 0, ":status", "200") + hdrs(3, endS, "a", "b"), ""},
	{"s.8.1 a second head", hdrs(3, 0, ":status", "200") + hdrs(3, endS, ":status", "200"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1 trailers without END_STREAM", hdrs(3, 0, ":status", "200") + hdrs(3, 0, "a", "b"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1.1 length passed", hdrs(3, 0, ":status", "200", "content-length", "1") + data(3, 0, "xy"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1.1 length not met", hdrs(3, 0, ":status", "200", "content-length", "2") + data(3, endS, "x"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1.1 length without a body", hdrs(3, endS, ":status", "200", "content-length", "2"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1.1 304 with a length", hdrs(3, endS, ":status", "304", "content-length", "2"), ""},
	{"s.8.1.1 304 with a body", hdrs(3, 0, ":status", "304", "content-length", "2") + data(3, endS, "xy"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.1.1 204, and an empty end", hdrs(3, 0, ":status", "204") + data(3, endS, ""), ""},
	{"s.8.3.2 no :status", hdrs(3, endS, "a", "b"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.3.2 :status of two digits", hdrs(3, endS, ":status", "20"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.3.2 :status 0xx", hdrs(3, endS, ":status", "020"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.3.2 :status twice", hdrs(3, endS, ":status", "200", ":status", "200"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.3.2 :status and :path", hdrs(3, endS, ":status", "200", ":path", "/"), "reset 3 PROTOCOL_ERROR"},
	{"RFC 9110 s.8.6 length twice the same", hdrs(3, 0, ":status", "200", "content-length", "1", "content-length", "1") + data(3, endS, "x"), ""},
	{"RFC 9110 s.8.6 length of a list", hdrs(3, 0, ":status", "200", "content-length", "1, 1") + data(3, endS, "x"), ""},
	{"RFC 9110 s.8.6 lengths differ", hdrs(3, 0, ":status", "200", "content-length", "1", "content-length", "2"), "reset 3 PROTOCOL_ERROR"},
	{"RFC 9110 s.8.6 lengths of a list differ", hdrs(3, 0, ":status", "200", "content-length", "1, 2"), "reset 3 PROTOCOL_ERROR"},
	{"RFC 9110 s.8.6 length is no number", hdrs(3, 0, ":status", "200", "content-length", "1, x"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.6 101", hdrs(3, 0, ":status", "101"), "reset 3 PROTOCOL_ERROR"},
	{"s.8.2.2 connection", hdrs(3, endS, ":status", "200", "connection", "close"), "reset 3 PROTOCOL_ERROR"},
}

func TestClientFaults(t *testing.T) {
	for _, c := range clientFaults {
		t.Run(c.name, func(t *testing.T) {
			calls := ""
			rolestest.Splits(t, []byte(c.in+fr(framePing, 0, 0, "still on")), 4, func(how string, feed func(func([]byte))) {
				v := dial(t, DefaultConfig())
				v.ask(t, post("/", http.UnknownLength), "abc", func(r *recorder) { r.stuck = true })
				v.ask(t, get("/"), "")
				if got := v.out(t); !strings.Contains(got, "headers 1 ") || !strings.Contains(got, "headers 3 end") {
					t.Fatalf("the client sent\n%s", got)
				}
				feed(func(b []byte) { v.l.Feed(b) })
				out := v.out(t)
				if got := verdict(out); got != c.want {
					t.Errorf("%s: got %q, want %q", how, got, c.want)
				}
				if lives := strings.Contains(out, `ping "still on" ack`); lives == strings.HasPrefix(c.want, "goaway") {
					t.Errorf("%s: connection still open: %t", how, lives)
				}
				v.over(t)
				got := joined(v.log.String())
				if calls == "" {
					calls = got
				} else if got != calls {
					t.Errorf("%s: calls\n%s\nwhole:\n%s", how, got, calls)
				}
			})
		})
	}
}
