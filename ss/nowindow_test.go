package ss_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
)

// TestServerThatGrantsNoWindowAtFirst: the first SETTINGS of libwebsockets' servers grant streams no window. Requests
// without a body, and the handshakes of WebSockets, are still sent; a body as soon as there is a window.
func TestServerThatGrantsNoWindowAtFirst(t *testing.T) {
	for _, c := range []struct{ keys, say, method, line string }{
		{`"protocol":"h2"`, "", "GET", `CREATING CONNECTING CONNECTED rx("hello /"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{`"protocol":"h2","http_method":"POST"`, "abc", "POST", `CREATING POLL CONNECTING tx("abc"|SOM|EOM) CONNECTED rx("hello /"|SOM) rx(""|EOM) QOS_ACK_REMOTE DISCONNECTED`},
		{`"protocol":"ws","ws_over_h2":true`, "", "CONNECT", `CREATING CONNECTING CONNECTED`},
		{`"protocol":"ws","ws_over_h2":true`, "abc", "CONNECT", `CREATING POLL CONNECTING CONNECTED tx("abc"|SOM|EOM)`},
	} {
		w := newWorld(t, `{"retry":[{"none":{"backoff":[700],"conceal":0,"jitterpc":0}}],"s":[
			{"c":{"endpoint":"10.0.0.2","port":80,"retry":"none",`+c.keys+`}},
			{"srv":{"server":true,"port":80,"protocol":"raw"}}]}`, plan{})
		peers := w.frames("srv", func(p *framePeer) {
			// ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE 0
			p.more = []byte{0, 8, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0}
			p.onHead = func(q *peerRequest) {
				p.frame(fWindow, 0, q.id, []byte{0, 0, 1, 0})
				if q.method == "CONNECT" {
					p.head(q, 200, false)
				}
			}
		})
		s := newScript()
		s.Say = []byte(c.say)
		if h := w.Create("c", s); c.say != "" {
			h.RequestTxLen(int64(len(c.say)))
		} else {
			h.Connect()
		}
		w.Advance(time.Second)
		w.WantLine(c.keys, s, c.line)
		requests := (*peers)[0].requests
		if len(requests) != 1 || requests[0].method != c.method {
			t.Fatalf("%s: requests that came: %d, want one with %s", c.keys, len(requests), c.method)
		}
		if c.method == "CONNECT" && c.say != "" && len(requests[0].body) != 6+len(c.say) {
			t.Errorf("%s: the tunnel carried %q, want one masked frame of %d bytes", c.keys, requests[0].body, len(c.say))
		}
		if h := s.Handle; c.method == "CONNECT" && h != nil {
			h.Destroy()
		}
	}
}

// TestRequestBodyThatGetsNoWindow: a live server that grants the body of a request no window cannot block the stream:
// after a minute the attempt fails.
func TestRequestBodyThatGetsNoWindow(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h2","http_method":"PUT","retry":"none"`, rawServer), plan{})
	w.frames("srv", func(p *framePeer) { p.more = []byte{0, 4, 0, 0, 0, 0} }) // INITIAL_WINDOW_SIZE 0
	s := newScript()
	s.Say, s.QuietTx = make([]byte, 100<<10), true // more than the window before any SETTINGS
	w.Create("c", s).RequestTxLen(100 << 10)
	w.Advance(50 * time.Second)
	w.WantLife("the stream, before its time is over", s, "CREATING POLL CONNECTING")
	w.Advance(15 * time.Second)
	w.WantLife("the stream", s, "CREATING POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	w.WantCause(s, http.ErrTimeout)
}
