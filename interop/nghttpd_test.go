package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNghttpdAnswersHeads: nghttpd, like all nghttp2 servers, answers when the request is complete. A request without a body is
// complete after its head, with nghttp2_quirk_end_stream or without.
func TestNghttpdAnswersHeads(t *testing.T) {
	dir := t.TempDir()
	big := pattern(400_000, 9)
	for name, text := range map[string]string{"small": "hello\n", "big": big} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	p := start(t, nil, nil, need(t, "nghttpd", "nghttp2-server"), "--no-tls", "-a", "127.0.0.1", "-d", dir, port)
	listening(t, p, port)
	for _, keys := range []string{``, `,"nghttp2_quirk_end_stream":true`, `,"h2q_oflow_txcr":true`, `,"http_method":"HEAD"`} {
		for name, text := range map[string]string{"small": "hello\n", "big": big} {
			if strings.Contains(keys, "HEAD") {
				text = ""
			}
			s := newScene(t, fmt.Sprintf(`{"s":[{"c":{"endpoint":"127.0.0.1","port":%s,"protocol":"h2","opportunistic":true,"http_url":"/%s"%s}}]}`, port, name, keys))
			x := &call{}
			s.play(x, "c")
			x.passed(t, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING")
			same(t, name+" with "+keys, x.body.String(), text)
		}
	}
}
