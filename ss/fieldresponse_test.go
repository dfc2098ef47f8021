package ss_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// TestTolerantResponses: client streams receive responses with tolerated protocol violations, sent byte by byte or
// whole.
func TestTolerantResponses(t *testing.T) {
	const got = `CREATING CONNECTING CONNECTED rx("hello"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`
	const none = "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED"
	for _, c := range []struct{ name, keys, text, line, folded, cause string }{
		{"folded field", "", "HTTP/1.1 200 OK\r\nX-Mine: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", got, "a   b", ""},
		{"length twice", "", "HTTP/1.1 200 OK\r\nX-Mine: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", got, "a", ""},
		{"empty lines in front", "", "\r\n\r\nHTTP/1.1 200 OK\r\nX-Mine: a\r\nContent-Length: 5\r\n\r\nhello", got, "a", ""},
		{"LF alone", "", "HTTP/1.1 200 OK\nX-Mine: a\nContent-Length: 5\n\nhello", none, "", `"http_lenient_lf"`},
		{"LF alone, accepted", `,"http_lenient_lf":true`, "HTTP/1.1 200 OK\nX-Mine: a\n b\nContent-Length: 5\n\nhello", got, "a  b", ""},
		{"LF alone and chunks, accepted", `,"http_lenient_lf":true`, "HTTP/1.1 200 OK\nX-Mine: a\nTransfer-Encoding: chunked\n\n5 ; x\nhello\n0\n\n", got, "a", ""},
	} {
		for _, piece := range []int{0, 1} {
			w := newWorld(t, `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
				{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"h1","retry":"none","metadata":[{"mine":"x-mine:"}]`+c.keys+`}},
				{"srv":{"server":true,"port":80,"protocol":"raw"}}]}`, plan{})
			w.Serve("srv", func(s *script) {
				speak("\r\n\r\n", c.text, false)(s)
				s.Piece = piece
			})
			s := newScript()
			mine := ""
			s.When(ss.QOSAckRemote, func(h *ss.Handle) ss.Ret {
				v, _ := h.Metadata("mine")
				mine = string(v)
				return ss.OK
			})
			cause := ""
			s.On[ss.Unreachable] = func(h *ss.Handle, n ss.Notice) ss.Ret {
				cause = n.Cause.Error()
				return ss.OK
			}
			w.Create("c", s).Connect()
			w.Advance(time.Second)
			if piece == 0 {
				w.WantLine(c.name, s, c.line)
			} else if c.line == got && string(s.Got) != "hello" {
				t.Errorf("%s, byte by byte: body %q, want hello; %s", c.name, s.Got, s.Line())
			}
			if mine != c.folded {
				t.Errorf("%s: field is %q, want %q", c.name, mine, c.folded)
			}
			if !strings.Contains(cause, c.cause) || (c.cause == "") != (cause == "") {
				t.Errorf("%s: cause of the failure is %q, want it to name %q", c.name, cause, c.cause)
			}
		}
	}
}
