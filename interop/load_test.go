package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A hundred requests of all kinds in one write get their responses in order, on one connection.
func TestPipelined(t *testing.T) {
	_, at := serve(t, servers, "web", "--echo")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	const n = 100
	var q strings.Builder
	for i := range n {
		body := fmt.Sprintf("body %d", i)
		switch i % 3 {
		case 0:
			fmt.Fprintf(&q, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
		case 1:
			fmt.Fprintf(&q, "POST /%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", i, len(body), body)
		default:
			fmt.Fprintf(&q, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
		}
	}
	if _, err := io.WriteString(c, q.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for i := range n {
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		b, err := io.ReadAll(a.Body)
		want := fmt.Sprintf("body %d", i)
		if i%3 == 2 {
			want = ""
		}
		if err != nil || string(b) != want || a.StatusCode != 200 {
			t.Fatalf("answer %d: status %d, %q, %v; want 200 and %q", i, a.StatusCode, b, err, want)
		}
	}
}

func TestWrk(t *testing.T) {
	wrk := need(t, "wrk", "wrk")
	_, at := serve(t, servers, "web", "--reply", "hello\n")
	r := finish(t, nil, wrk, "-t1", "-c64", "-d1s", "--timeout", "10s", "http://"+at+"/")
	m := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(r.out)
	if r.status != 0 || m == nil || len(m[1]) < 3 || strings.Contains(r.out, "Socket errors") || strings.Contains(r.out, "Non-2xx") {
		t.Errorf("wrk: status %d; want hundreds of requests and no errors\n%s%s", r.status, r.out, r.err)
	}
}

// ab speaks HTTP/1.0 with keep-alive, and requires the same length for every response.
func TestAb(t *testing.T) {
	ab := need(t, "ab", "apache2-utils")
	_, at := serve(t, servers, "web", "--reply", "hello\n")
	r := finish(t, nil, ab, "-k", "-q", "-n", "5000", "-c", "32", "http://"+at+"/")
	for _, want := range []string{`Complete requests: +5000\n`, `Failed requests: +0\n`, `Keep-Alive requests: +5000\n`} {
		if r.status != 0 || !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("ab: status %d; want %q\n%s%s", r.status, want, r.out, r.err)
		}
	}
	if strings.Contains(r.out, "Non-2xx") {
		t.Errorf("ab: got responses other than 2xx\n%s", r.out)
	}
}
