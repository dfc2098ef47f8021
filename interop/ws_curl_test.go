package interop

import (
	"strings"
	"syscall"
	"testing"
)

// byHand are the fields of a handshake as in RFC 6455 section 1.3.
var byHand = []string{"--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
	"-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

// A handshake with fixed fields: curl prints the head of the response and the frames after it.
func TestCurlUpgrades(t *testing.T) {
	h := newWSRuntime(t, newWSTLS(t), wsTerms{}, nil)
	c := &wsConversation{byServer: true, code: 1001, reason: "enough"}
	url := "http" + strings.TrimPrefix(c.url(h.at(c), "curl"), "ws")
	var out output
	p := start(t, nil, &out, need(t, "curl", "curl"), append([]string{"-sS", "-N", "-i", "--max-time", "25", url}, byHand...)...)
	const frame = "\x88\x08\x03\xe9enough"
	poll(t, "curl to print the Close frame", func() bool { return strings.HasSuffix(out.String(), "\r\n\r\n"+frame) })
	p.stop(syscall.SIGTERM)
	head, _, _ := strings.Cut(out.String(), "\r\n\r\n")
	for _, want := range []string{"HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "X-Reply: " + wsReply} {
		if !strings.Contains(strings.ToLower(head+"\r\n"), strings.ToLower(want+"\r\n")) {
			t.Errorf("got head %q, want %q in it", head, want)
		}
	}
	h.rest(t)
}

// An invalid handshake gets an HTTP error response, and the connection stays open.
func TestCurlInvalidUpgrades(t *testing.T) {
	_, at := serve(t, `{"s":[{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "ws_subprotocol": "chat"}}]}`, "web", "--echo")
	instead := func(field, by string) []string {
		args := append([]string(nil), byHand...)
		for i, a := range args {
			if strings.HasPrefix(a, field+":") {
				args[i] = field + ":" + by
			}
		}
		return args
	}
	for _, c := range []struct {
		name  string
		args  []string
		wants []string
	}{
		{"an old version", instead("Sec-WebSocket-Version", " 8"), []string{"HTTP/1.1 426 ", "\r\nSec-WebSocket-Version: 13\r\n", "\r\nUpgrade: websocket\r\n"}},
		{"no version", instead("Sec-WebSocket-Version", ""), []string{"HTTP/1.1 400 "}},
		{"a key that is too short", instead("Sec-WebSocket-Key", " c2hvcnQ="), []string{"HTTP/1.1 400 "}},
		{"no key", instead("Sec-WebSocket-Key", ""), []string{"HTTP/1.1 400 "}},
		{"a subprotocol that is not served", append(instead("", ""), "-H", "Sec-WebSocket-Protocol: gossip"), []string{"HTTP/1.1 400 "}},
	} {
		url := "http://" + at + "/"
		r := curl(t, append(c.args, "-i", "-w", "connections: %{num_connects}\n", url, url)...)
		first, second, _ := strings.Cut(r.out, "connections: 1\n")
		if !strings.HasSuffix(second, "connections: 0\n") {
			t.Errorf("%s: the second response used another connection:\n%s", c.name, r.out)
		}
		for _, want := range c.wants {
			if !strings.Contains(first, want) || !strings.Contains(second, want) {
				t.Errorf("%s: got responses\n%s\nwant %q in both", c.name, r.out, want)
			}
		}
	}
}
