package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// With -v standard error has the states under their reference names, with their causes.
func TestFetchVerbose(t *testing.T) {
	r := run("fetch", "--policy", clientPolicy(t, "1"), "--stream", "get", "-v")
	r.expect(t, exitUnreachable, "unreachable: wsi: dial: 127.0.0.1:1: connect", `cause="wsi: dial: 127.0.0.1:1: connect`)
	var got []string
	for line := range strings.Lines(r.err) {
		if _, msg, ok := strings.Cut(line, "msg=LWSSSCS_"); ok {
			got = append(got, msg[:strings.IndexByte(msg, ' ')])
		}
	}
	want := "CREATING CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("states\n got %s\nwant %s", s, want)
	}
}

// Without --timeout the timeout of the policy applies.
func TestFetchPolicyTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run("fetch", "--policy", clientPolicy(t, port(l.Addr().String())), "--stream", "hasty").expect(t, exitUnreachable, "timed out")
}

// --timeout includes all attempts.
func TestFetchTimeoutCountsRetries(t *testing.T) {
	r := run("fetch", "--policy", clientPolicy(t, "1"), "--stream", "stubborn", "--timeout", "300ms", "-v")
	r.expect(t, exitUnreachable, "timed out", "LWSSSCS_TIMEOUT")
	if n := strings.Count(r.err, "LWSSSCS_CONNECTING"); n < 3 {
		t.Errorf("%d attempts in 300 ms with 20 ms between them, want several\n%s", n, r.err)
	}
}

func TestFetchRaw(t *testing.T) {
	s := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--echo")
	p := clientPolicy(t, port(s.at))
	big := pattern(3<<20, 11)
	file := write(t, "data", string(big))
	r := run("fetch", "--policy", p, "--stream", "tcp", "--data", "@"+file, "--bytes", fmt.Sprint(len(big)))
	if r.status != exitOK || r.out != string(big) {
		t.Errorf("status %d and %d bytes, want 0 and the %d that were sent\n%s", r.status, len(r.out), len(big), r.err)
	}
	r = runWith(bytes.NewReader(big), "fetch", "--policy", p, "--stream", "tcp", "--data", "@-", "--bytes", "1000")
	if r.status != exitOK || r.out != string(big[:1000]) {
		t.Errorf("--bytes 1000: status %d and %d bytes, want 0 and the first 1000\n%s", r.status, len(r.out), r.err)
	}

	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	taken := make(chan []byte, 1)
	go func() {
		c, err := sink.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		taken <- b
	}()
	r = run("fetch", "--policy", clientPolicy(t, port(sink.Addr().String())), "--stream", "tcp", "--data", "@"+file, "--send")
	if b := <-taken; r.status != exitOK || !bytes.Equal(b, big) {
		t.Errorf("--send: status %d, and the peer got %d bytes; want 0 and all %d\n%s", r.status, len(b), len(big), r.err)
	}

	greeter := serve(t, "--policy", write(t, "p.json", servePolicy), "--stream", "tcp", "--reply", "welcome")
	p = clientPolicy(t, port(greeter.at))
	r = run("fetch", "--policy", p, "--stream", "tcp")
	if r.status != exitOK || r.out != "welcome" {
		t.Errorf("until the peer closes: status %d and %q, want 0 and \"welcome\"\n%s", r.status, r.out, r.err)
	}
	run("fetch", "--policy", p, "--stream", "tcp", "--bytes", "100").expect(t, exitUnreachable, "ended before the payload was complete")
}
