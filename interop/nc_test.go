package interop

import (
	"fmt"
	"strings"
	"testing"
)

// rawClient returns a policy with a raw client for a port, which retries until its server is up.
func rawClient(t *testing.T, port string) string {
	return file(t, "client.json", fmt.Sprintf(`{
		"retry": [{"soon": {"backoff": [20], "conceal": 500, "jitterpc": 0}}],
		"s": [{"tcp": {"endpoint": "127.0.0.1", "port": %s, "protocol": "raw", "opportunistic": true, "retry": "soon"}}]}`, port))
}

// netcat sends, half-closes, and receives the echo of every byte.
func TestNetcatAgainstServe(t *testing.T) {
	nc := need(t, "nc", "netcat-openbsd")
	_, at := serve(t, servers, "tcp", "--echo")
	host, port, _ := strings.Cut(at, ":")
	for _, n := range []int{5, 3 << 20} {
		body := pattern(n, 4)
		r := finish(t, strings.NewReader(body), nc, "-N", host, port)
		if r.status != 0 {
			t.Errorf("nc: status %d\n%s", r.status, r.err)
		}
		same(t, "netcat's echo", r.out, body)
	}
}

// Reverse roles: netcat listens, once to send and once to receive.
func TestFetchAgainstNetcat(t *testing.T) {
	nc := need(t, "nc", "netcat-openbsd")
	body := pattern(2<<20, 5)

	port := freePort(t)
	p := start(t, strings.NewReader(body), nil, nc, "-N", "-l", "127.0.0.1", port)
	r := finish(t, nil, millrace, "fetch", "--policy", rawClient(t, port), "--stream", "tcp")
	if status := p.wait(); r.status != 0 || status != 0 {
		t.Errorf("netcat sends: millrace fetch: status %d\n%s\nnc: status %d\n%s", r.status, r.err, status, &p.err)
	}
	same(t, "what netcat sent", r.out, body)

	port = freePort(t)
	var got output
	p = start(t, nil, &got, nc, "-l", "127.0.0.1", port)
	r = finish(t, nil, millrace, "fetch", "--policy", rawClient(t, port), "--stream", "tcp", "--data", "@"+file(t, "body", body), "--send")
	if status := p.wait(); r.status != 0 || status != 0 {
		t.Errorf("netcat receives: millrace fetch: status %d\n%s\nnc: status %d\n%s", r.status, r.err, status, &p.err)
	}
	same(t, "what netcat got", got.String(), body)
}

func TestFetchAgainstSocat(t *testing.T) {
	socat := need(t, "socat", "socat")
	port := freePort(t)
	p := start(t, nil, nil, socat, "TCP-LISTEN:"+port+",bind=127.0.0.1,reuseaddr", "EXEC:cat")
	body := pattern(2<<20, 7)
	r := finish(t, nil, millrace, "fetch", "--policy", rawClient(t, port), "--stream", "tcp",
		"--data", "@"+file(t, "body", body), "--bytes", fmt.Sprint(len(body)))
	if r.status != 0 {
		t.Errorf("millrace fetch: status %d\n%s\nsocat: %s", r.status, r.err, &p.err)
	}
	same(t, "socat's echo", r.out, body)
}

func TestSocatAgainstServe(t *testing.T) {
	socat := need(t, "socat", "socat")
	_, at := serve(t, servers, "tcp", "--file", file(t, "body", pattern(5<<20, 8)))
	r := finish(t, nil, socat, "-u", "TCP:"+at, "STDOUT")
	if r.status != 0 {
		t.Errorf("socat: status %d\n%s", r.status, r.err)
	}
	same(t, "a file over raw", r.out, pattern(5<<20, 8))
}
