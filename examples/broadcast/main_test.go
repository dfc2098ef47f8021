package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/ss"
)

// clientPolicy has the address in its metadata.
const clientPolicy = `{"s": [{"feed": {"endpoint": "127.0.0.1", "port": %s, "protocol": "ws", "http_url": "${path}", "metadata": [{"path": ""}]}}]}`

// serve builds and starts the program, and returns its port and process id.
func serve(t *testing.T) (port string, pid int) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "broadcast")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	doc := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(doc, []byte(strings.Replace(string(builtIn), "7682", "0", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := exec.Command(bin, doc)
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on 127.0.0.1:")
	if err != nil || !ok {
		t.Fatalf("the first line: %q, %v; want \"listening on 127.0.0.1:PORT\"", line, err)
	}
	return port, p.Process.Pid
}

// house runs streams against the server until it is told to stop.
type house struct {
	t    *testing.T
	rt   *ss.Runtime
	stop context.CancelFunc
	ctx  context.Context
	l    *loop.Loop
}

func newHouse(t *testing.T, port string) *house {
	t.Helper()
	p, err := policy.Parse(fmt.Appendf(nil, clientPolicy, port))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, l: loop.New(sys, loop.Config{})}
	if h.rt, err = ss.New(ss.Config{Loop: h.l, Policy: p}); err != nil {
		t.Fatal(err)
	}
	h.ctx, h.stop = context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(h.stop)
	return h
}

func (h *house) run() {
	h.t.Helper()
	if err := h.l.Run(h.ctx); err != nil && err != context.Canceled {
		h.t.Fatal("before the end was reached: ", err)
	}
	h.rt.Close()
}

func (h *house) connect(path string, g *guestbook) {
	h.t.Helper()
	s, err := h.rt.Create(ss.Info{StreamType: "feed", New: func(*ss.Handle) ss.Stream { return g }})
	if err == nil {
		err = s.SetMetadataString("path", path)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	g.h = s
	s.Connect()
}

// guestbook is a client: it writes down what it is told, and says what it is asked to say.
type guestbook struct {
	h     *ss.Handle
	got   []string
	say   []string
	state func(s ss.State, n ss.Notice)
	heard func(m string)
	given func()
}

func (g *guestbook) State(_ *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if g.state != nil {
		g.state(s, n)
	}
	return ss.OK
}

func (g *guestbook) Rx(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.SOM != 0 {
		g.got = append(g.got, "")
	}
	last := &g.got[len(g.got)-1]
	*last += string(b)
	if f&ss.EOM != 0 && g.heard != nil {
		g.heard(*last)
	}
	return ss.OK
}

func (g *guestbook) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if len(g.say) == 0 {
		return 0, 0, ss.TxDontSend
	}
	m := g.say[0]
	if g.say = g.say[1:]; len(g.say) > 0 {
		h.RequestTx()
	}
	defer g.given()
	return copy(buf, m), ss.SOM | ss.EOM | ss.Text, ss.OK
}

// Subscribers who read get everything, in order. One who does not costs the server nothing, and is told how much it
// missed when it reads again.
func TestBroadcast(t *testing.T) {
	const total, window = 12_000, 64
	filler := strings.Repeat(".", 4000) // 48 MB in all: more than any socket takes for one who does not read
	port, pid := serve(t)
	h := newHouse(t, port)
	slow, publisher := new(guestbook), new(guestbook)
	quick := []*guestbook{{}, {}, {}}
	said, waiting := 0, 1+len(quick)
	// The publisher keeps a window ahead of the slowest of those who are quick.
	goOn := func() {
		least := total
		for _, q := range quick {
			least = min(least, len(q.got))
		}
		if said < total && said < least+window && len(publisher.say) == 0 {
			publisher.say = []string{strconv.Itoa(said) + filler}
			said++
			publisher.h.RequestTx()
		}
		if least == total && slow.h != nil {
			slow.h.Resume()
		}
	}
	publisher.given = goOn
	ready := func(s ss.State, _ ss.Notice) {
		if s != ss.Connected {
			return
		}
		if waiting--; waiting == 0 {
			slow.h.Pause()
			h.connect("/publish", publisher)
		}
	}
	publisher.state = func(s ss.State, _ ss.Notice) {
		if s == ss.Connected {
			goOn()
		}
	}
	slow.state = ready
	slow.heard = func(m string) {
		if strings.HasPrefix(m, strconv.Itoa(total-1)+".") {
			h.stop()
		}
	}
	for _, q := range quick {
		q.state = ready
		q.heard = func(string) { goOn() }
		h.connect("/", q)
	}
	h.connect("/", slow)
	h.run()

	number := func(m string) int {
		n, err := strconv.Atoi(strings.TrimRight(m, "."))
		if err != nil {
			t.Fatalf("a message is %.60q", m)
		}
		return n
	}
	for i, q := range quick {
		if len(q.got) != total {
			t.Fatalf("subscriber %d got %d messages, want %d", i, len(q.got), total)
		}
		for k, m := range q.got {
			if number(m) != k {
				t.Fatalf("subscriber %d: message %d has the number %d", i, k, number(m))
			}
		}
	}
	next, missed := 0, 0
	for _, m := range slow.got {
		if n := 0; strings.HasPrefix(m, "(") {
			if _, err := fmt.Sscanf(m, "(%d messages missed)", &n); err != nil {
				t.Fatalf("the slow one was told %q: %v", m, err)
			}
			missed += n
			next += n
			continue
		}
		if number(m) != next {
			t.Fatalf("the slow one got message %d, want %d", number(m), next)
		}
		next++
	}
	if next != total || missed == 0 {
		t.Errorf("the slow one was told of %d messages, %d of them missed; want %d, and some missed", next, missed, total)
	}
	if kb := peak(t, pid); kb > 64<<10 {
		t.Errorf("the server used %d kB at its peak, want at most 64 MB for 48 MB of messages to four subscribers", kb)
	}
}

// peak is the most memory that a process has used, in kB, 0 where the system does not say.
func peak(t *testing.T, pid int) (kb int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Logf("no figure for memory here: %v", err)
		return 0
	}
	_, line, _ := strings.Cut(string(text), "VmHWM:")
	fmt.Sscan(line, &kb)
	return kb
}

// One publishes at a time; what is no message for the feed ends who sends it, with a reason.
func TestRefusals(t *testing.T) {
	port, _ := serve(t)
	h := newHouse(t, port)
	first, second, loud := new(guestbook), new(guestbook), new(guestbook)
	var refused error
	var closed *ss.CloseError
	loud.given = func() {}
	first.state = func(s ss.State, _ ss.Notice) {
		if s == ss.Connected {
			h.connect("/publish", second)
		}
	}
	second.state = func(s ss.State, n ss.Notice) {
		if s == ss.Unreachable && refused == nil {
			refused = n.Cause
			loud.say = []string{"what I have to say"}
			h.connect("/", loud)
			loud.h.RequestTx()
		}
	}
	loud.state = func(s ss.State, n ss.Notice) {
		if e, ok := n.Cause.(*ss.CloseError); ok && s == ss.Disconnected {
			closed = e
			h.stop()
		}
	}
	h.connect("/publish", first)
	h.run()
	if e := (*ss.StatusError)(nil); !errors.As(refused, &e) || e.Status != 409 {
		t.Errorf("a second publisher was refused with %v, want a 409", refused)
	}
	if closed == nil || closed.Code != ws.Policy || closed.Reason == "" {
		t.Errorf("a subscriber who speaks was told %v, want %v and a reason", closed, ws.Policy)
	}
}
