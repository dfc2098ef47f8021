package gen

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/bench/internal/procfs"
)

// serve runs net/http on loopback for the length of a test.
func serve(t *testing.T, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return netip.MustParseAddrPort(ln.Addr().String())
}

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Server", "test")
	io.WriteString(w, Body)
}

// raw runs a connection handler on loopback for the length of a test.
func raw(t *testing.T, h func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); h(c) }()
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}

func window() Window {
	return Window{Warm: 20 * time.Millisecond, Span: 100 * time.Millisecond,
		CPU: func() (time.Duration, error) { return procfs.CPU(os.Getpid()) }}
}

func TestProbe(t *testing.T) {
	a, err := Probe(serve(t, hello), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Server != "test" || a.Size < 100 || a.Size > 250 {
		t.Errorf("got %+v, want Server %q and between 100 and 250 bytes", a, "test")
	}
}

func TestProbeRefuses(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: x\r\nContent-Length: 14\r\n\r\n" + Body
	second := func(a, b string) func(net.Conn) {
		return func(c net.Conn) {
			buf := make([]byte, 1024)
			for _, s := range []string{a, b} {
				if _, err := c.Read(buf); err != nil {
					return
				}
				io.WriteString(c, s)
			}
			c.Read(buf)
		}
	}
	for _, tc := range []struct{ name, answer, again, want string }{
		{"404", strings.Replace(good, "200 OK", "404 No", 1), "", "status 404"},
		{"another body", strings.Replace(good, "World", "Wurld", 1), "", "body"},
		{"chunked", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n" + Body + "\r\n0\r\n\r\n", "", "Content-Length"},
		{"no date", strings.Replace(good, "Date", "Etad", 1), "", "no Date"},
		{"no type", strings.Replace(good, "Content-Type", "Content-Tipe", 1), "", "no Content-Type"},
		{"not kept alive", strings.Replace(good, "Date", "Connection: close\r\nDate", 1), "", "closes"},
		{"bytes behind the answer", good + "more", "", "too many"},
		{"another size the second time", good, strings.Replace(good, "Date: x", "Date: yz", 1), "different size"},
		{"not HTTP", "hello\r\n\r\n", "", "malformed"},
	} {
		a, err := Probe(raw(t, second(tc.answer, tc.again)), nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", tc.name, a, err, tc.want)
		}
	}
}

func TestClosed(t *testing.T) {
	addr := serve(t, hello)
	a, err := Probe(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ conns, depth int }{{1, 1}, {8, 1}, {8, 16}} {
		r, err := Closed(Load{Addr: addr, Conns: tc.conns, Depth: tc.depth, Size: a.Size}, window())
		if err != nil {
			t.Fatalf("%+v: %v", tc, err)
		}
		if r.Done == 0 || r.Done != r.Latency.N()*uint64(tc.depth) {
			t.Errorf("%+v: got %d requests in %d batches", tc, r.Done, r.Latency.N())
		}
		if r.Elapsed < 100*time.Millisecond || r.CPU <= 0 || r.Idle < 0 || r.Idle > 1 {
			t.Errorf("%+v: got window %v, CPU %v, idle %v", tc, r.Elapsed, r.CPU, r.Idle)
		}
	}
}

// A window without a response would give a latency of zero and a division by zero.
func TestWindowWaitsForAnAnswer(t *testing.T) {
	addr := raw(t, func(c net.Conn) {
		buf := make([]byte, 1024)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			time.Sleep(300 * time.Millisecond)
			io.WriteString(c, answer100)
		}
	})
	r, err := Closed(Load{Addr: addr, Conns: 1, Depth: 1, Size: len(answer100)}, window())
	if err != nil || r.Done != 1 || r.Elapsed < 200*time.Millisecond || r.Latency.N() != 1 {
		t.Errorf("got %d answers in %v, %v; want one in about 300ms", r.Done, r.Elapsed, err)
	}
}

// A wrong response under load must end the measurement, at whatever position it is wrong.
func TestClosedRefusesWrongAnswers(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + Body
	for _, tc := range []struct{ name, answer string }{
		{"status", strings.Replace(good, "200", "500", 1)},
		{"end", strings.Replace(good, "World!", "World?", 1)},
		{"too long", good + "x"},
		{"closed", ""},
	} {
		addr := raw(t, func(c net.Conn) {
			buf := make([]byte, 1024)
			for i := 0; ; i++ {
				if _, err := c.Read(buf); err != nil {
					return
				}
				if i < 3 {
					io.WriteString(c, good)
				} else if io.WriteString(c, tc.answer); tc.answer == "" {
					return
				}
			}
		})
		if r, err := Closed(Load{Addr: addr, Conns: 2, Depth: 1, Size: len(good)}, window()); err == nil {
			t.Errorf("%s: got %+v, want an error", tc.name, r)
		}
	}
}

func TestStream(t *testing.T) {
	addr := raw(t, func(c net.Conn) { io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) })
	r, err := Stream(Flow{addr, 4, 128 << 10}, window())
	if err != nil {
		t.Fatal(err)
	}
	if r.Done < 1<<20 {
		t.Errorf("got %d bytes echoed in %v, want at least a MiB", r.Done, r.Elapsed)
	}
}

func TestStreamNoticesDamage(t *testing.T) {
	addr := raw(t, func(c net.Conn) {
		buf := make([]byte, 32<<10)
		for i := 0; ; i++ {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if i == 20 {
				buf[n/2] ^= 1
			}
			c.Write(buf[:n])
		}
	})
	if r, err := Stream(Flow{addr, 1, 64 << 10}, window()); err == nil || !strings.Contains(err.Error(), "differ from the bytes sent") {
		t.Errorf("got %+v, %v; want an error", r, err)
	}
}

func TestHold(t *testing.T) {
	addr := raw(t, hello100)
	held, err := Hold(Stay{Addr: addr, Conns: 200, Size: len(answer100)})
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
}

const answer100 = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + Body

func hello100(c net.Conn) {
	buf := make([]byte, 1024)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		io.WriteString(c, answer100)
	}
}

func TestStorm(t *testing.T) {
	s, err := Storm(StormLoad{Addr: raw(t, hello100), Clients: 500, Size: len(answer100),
		Calm: 50 * time.Millisecond, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if s.Lost != 0 || s.Why != nil || s.Before.N() == 0 || s.During.N() == 0 {
		t.Errorf("got %d lost (%v), %d latencies before and %d during; want 0 lost, and latencies of both",
			s.Lost, s.Why, s.Before.N(), s.During.N())
	}
}

// Storm counts each client that the server drops once.
func TestStormCountsTheLost(t *testing.T) {
	turn := make(chan int, 1)
	turn <- 0
	s, err := Storm(StormLoad{Addr: raw(t, func(c net.Conn) {
		n := <-turn
		turn <- n + 1
		if n > 0 && n%10 == 0 {
			return
		}
		hello100(c)
	}), Clients: 100, Size: len(answer100), Calm: 10 * time.Millisecond, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if s.Lost != 10 || s.Why == nil {
		t.Errorf("got %d lost (%v), want 10 with a reason", s.Lost, s.Why)
	}
}

func TestSourcesCoverManyConnections(t *testing.T) {
	got := fmt.Sprint(source(0), source(perSource-1), source(perSource), source(15999))
	if want := "127.0.0.2 127.0.0.2 127.0.0.3 127.0.0.3"; got != want {
		t.Errorf("sources of connections 0, 7999, 8000, 15999: got %s, want %s", got, want)
	}
}
