package h2

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// chaos drives a client and a server randomly, from a seed: split input, refused rooms, pauses, resets and SETTINGS
// at any moment, and handlers that do everything that is allowed to their own and to other exchanges.
type chaos struct {
	t      testing.TB
	seed   uint64
	r      *rand.Rand
	c      Client
	s      Server
	cl, sl *rolestest.Lower
	shared [2]*Shared
	// Bytes on their way. A frame may be inserted where one output of a Lower ends.
	up, down []byte
	kept     [2]int
	plans    []plan
	most     int // the longest body
	clients  []*actor
	servers  []*actor
	calm     bool
	cut      bool // nothing more reaches the client
	nested   int  // handlers on the stack
}

// plan describes an exchange.
type plan struct {
	head     bool
	up, down int // lengths of the bodies
}

// actor is a handler at one end of an exchange.
type actor struct {
	w      *chaos
	who    string
	id     int
	client bool
	size   int // bytes to send
	known  bool
	trail  bool
	begun  bool
	sent   int
	ended  bool // its own message is complete
	got    int
	all    bool // the peer's message is complete
	manual bool
	done   bool
	x      http.Exchange
}

func (w *chaos) failf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// octet returns the octet at a position of a body.
func octet(id int, client bool, at int) byte {
	n := at*7 + id*31
	if client {
		n += 101
	}
	return byte(n ^ n>>8)
}

func (a *actor) enter() func() {
	if a.w.nested++; a.w.nested > 1 {
		a.w.failf("%s %d: a call inside a call", a.who, a.id)
	}
	if a.done {
		a.w.failf("%s %d: a call after Done", a.who, a.id)
	}
	return func() { a.w.nested-- }
}

func (a *actor) Head(x http.Exchange, m *http.Message) {
	defer a.enter()()
	a.x = x
	if a.client {
		if m.Status < 200 {
			a.w.meddle()
			return
		}
	} else {
		id, err := strconv.Atoi(string(m.Target[1:]))
		if err != nil {
			a.w.failf("target %q", m.Target)
		}
		a.id = id
		a.size = a.w.plans[id].down
		if a.w.r.IntN(4) == 0 {
			x.WantWrite()
		}
	}
	if !a.w.calm && a.w.r.IntN(8) == 0 {
		x.(http.FlowControlled).ManualCredit()
		a.manual = true
	}
	a.w.meddle()
}

func (a *actor) Body(x http.Exchange, b []byte) {
	defer a.enter()()
	for i, c := range b {
		if want := octet(a.id, !a.client, a.got+i); c != want {
			a.w.failf("%s %d: octet %d of the body is %#x, want %#x", a.who, a.id, a.got+i, c, want)
		}
	}
	if a.all {
		a.w.failf("%s %d: body after its end", a.who, a.id)
	}
	a.got += len(b)
	if a.manual && a.w.r.IntN(2) == 0 {
		x.Credit(len(b))
	}
	a.w.meddle()
}

func (a *actor) End(x http.Exchange, _ []http.Field) {
	defer a.enter()()
	p := a.w.plans[a.id]
	want := p.up
	if a.client {
		want = p.down
		if p.head {
			want = 0
		}
	}
	if a.got != want && !(a.ended && !a.client) { // a server may drop the rest of a request after its response
		a.w.failf("%s %d: the body ends at %d, want %d", a.who, a.id, a.got, want)
	}
	a.all = true
	x.WantWrite()
	a.w.meddle()
}

func (a *actor) Done(_ http.Exchange, cause error) {
	defer a.enter()()
	if cause == nil && (!a.all || !a.ended && !a.client) {
		a.w.failf("%s %d: done without a cause; peer complete %t, own complete %t", a.who, a.id, a.all, a.ended)
	}
	var f *fault
	if errors.As(cause, &f) && f.code != Cancel && f.Cause != http.ErrTimeout {
		a.w.failf("%s %d: %v: size %d, sent %d, got %d, plan %+v", a.who, a.id, cause, a.size, a.sent, a.got, a.w.plans[a.id])
	}
	a.done = true
	a.x = nil
	a.w.meddle()
}

func (a *actor) Writable(x http.Exchange) {
	defer a.enter()()
	r := a.w.r
	a.x = x
	a.w.meddle()
	if a.ended || a.x == nil {
		return
	}
	if !a.begun && !a.begin(x) {
		return
	}
	for range 1 + r.IntN(3) {
		if a.ended {
			return
		}
		b := x.Room()
		if b == nil {
			break
		}
		n := min(len(b), a.size-a.sent)
		if n > 1 && r.IntN(2) == 0 {
			n = r.IntN(n)
		}
		for i := range n {
			b[i] = octet(a.id, a.client, a.sent+i)
		}
		a.sent += n
		last := a.sent == a.size
		if !last || a.trail && !a.known {
			x.Commit(n, false)
			if last {
				break
			}
			continue
		}
		x.Commit(n, true)
		a.ended = true
		return
	}
	if a.sent == a.size && a.trail && !a.known {
		switch err := x.SendTrailers([]http.Field{field("sum", "1")}); err {
		case nil:
			a.ended = true
			return
		case http.ErrNoRoom:
		default:
			a.w.failf("%s %d: trailers: %v", a.who, a.id, err)
		}
	}
	x.WantWrite()
}

// begin sends the head, and reports whether a body follows at once.
func (a *actor) begin(x http.Exchange) bool {
	r := a.w.r
	var m http.Message
	end := false
	if a.client {
		m = get("/" + strconv.Itoa(a.id))
		p := a.w.plans[a.id]
		if p.head {
			m.Method = []byte("HEAD")
		} else if r.IntN(2) == 0 {
			m.Method = []byte("PUT")
		}
		m.Continue = a.size > 0 && r.IntN(4) == 0
		end = a.size == 0
	} else {
		if r.IntN(6) == 0 {
			m.Status = 103
			if err := x.SendHead(&m, false); err != nil && err != http.ErrNoRoom {
				a.w.failf("interim: %v", err)
			}
			x.WantWrite()
			return false
		}
		m.Status = 200
		if r.IntN(10) == 0 {
			m.Status = 500
		}
		end = a.w.plans[a.id].head || a.size == 0 && r.IntN(2) == 0
	}
	m.Length = http.UnknownLength
	if a.known = r.IntN(2) == 0; a.known && !end {
		m.Length = int64(a.size)
	}
	m.Fields = []http.Field{field("X-Noise", fmt.Sprint(r.IntN(5))), field("x-"+strconv.Itoa(r.IntN(20)), "v")}
	if err := x.SendHead(&m, end); err == http.ErrNoRoom {
		x.WantWrite()
		return false
	} else if err != nil {
		a.w.failf("%s %d: head: %v", a.who, a.id, err)
	}
	a.begun = true
	a.ended = end || m.Length == 0
	return !a.ended
}

// meddle does something to a random exchange, or to the connection.
func (w *chaos) meddle() {
	if w.calm {
		return
	}
	r := w.r
	all := w.clients
	if r.IntN(2) == 0 {
		all = w.servers
	}
	if len(all) == 0 {
		return
	}
	a := all[r.IntN(len(all))]
	if a.done || a.x == nil {
		return
	}
	switch r.IntN(24) {
	case 0, 1, 2:
		a.x.Pause()
	case 3, 4, 5, 6, 7:
		a.x.Resume()
	case 8:
		if r.IntN(6) == 0 {
			a.x.Reset(errors.New("on a whim"))
			a.x = nil
		}
	case 9, 10:
		a.x.WantWrite()
	case 11, 12:
		a.x.Credit(r.IntN(1000))
	case 13:
		if r.IntN(40) == 0 {
			w.s.Drain()
		}
	case 14:
		if r.IntN(40) == 0 {
			w.c.Close()
		}
	case 15:
		if r.IntN(3) == 0 {
			w.start()
		}
	}
}

func (w *chaos) start() {
	if len(w.plans) >= 40 {
		return
	}
	r := w.r
	length := func() int {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return 1 + r.IntN(100)
		case 2:
			return r.IntN(40000)
		}
		return r.IntN(w.most)
	}
	p := plan{head: r.IntN(8) == 0, up: length(), down: length()}
	if p.head {
		p.up = 0
	}
	a := &actor{w: w, who: "client", id: len(w.plans), client: true, size: p.up, trail: r.IntN(4) == 0}
	x, err := w.c.Do(a)
	if err != nil {
		return
	}
	a.x = x
	w.plans = append(w.plans, p)
	w.clients = append(w.clients, a)
}

func (w *chaos) Accept(*Server) http.Handler {
	if !w.calm && w.r.IntN(20) == 0 {
		return nil
	}
	a := &actor{w: w, who: "server", trail: w.r.IntN(4) == 0}
	w.servers = append(w.servers, a)
	return a
}

func (w *chaos) Ready(*Client) {
	if !w.calm && w.r.IntN(2) == 0 {
		w.start()
	}
}
func (w *chaos) Draining(*Client)      {}
func (w *chaos) Closed(*Client, error) {}

// step does one random thing.
func (w *chaos) step() {
	r := w.r
	which := r.IntN(2)
	side := []*rolestest.Lower{w.cl, w.sl}[which]
	switch r.IntN(13) {
	case 0:
		side.Refuse = !side.Refuse && r.IntN(2) == 0
	case 1:
		side.Allow = 0
		if r.IntN(2) == 0 {
			side.Allow = 1 + r.IntN(20000)
		}
	case 2:
		side.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
	case 3:
		w.meddle()
	case 4:
		if r.IntN(4) == 0 {
			w.inject(r.IntN(3))
		}
	case 5:
		if side.Short = !side.Short; !side.Short {
			w.shared[which].Relieve()
		}
	default:
		w.carry(1 + r.IntN(20000))
		return
	}
	w.cl.Sleep(0)
	w.sl.Sleep(0)
	w.cl.Service()
	w.sl.Service()
}

// collect takes the output of both.
func (w *chaos) collect() {
	w.up = append(w.up, w.cl.Out...)
	w.down = append(w.down, w.sl.Out...)
	w.cl.Out, w.sl.Out = w.cl.Out[:0], w.sl.Out[:0]
}

// carry takes up to n octets across, in both directions.
func (w *chaos) carry(n int) {
	w.collect()
	k := min(n, len(w.up))
	w.sl.Feed(w.up[:k])
	w.up = w.up[k:]
	if w.cut {
		w.down = nil
	}
	k = min(n, len(w.down))
	w.cl.Feed(w.down[:k])
	w.down = w.down[k:]
	w.collect()
	// The end of one direction reaches the other end after all that was sent.
	if w.sl.Over && len(w.down) == 0 {
		w.cl.End()
	}
	if w.cl.Over && len(w.up) == 0 {
		w.sl.End()
	}
	w.cl.Sleep(0)
	w.sl.Sleep(0)
	w.cl.Service()
	w.sl.Service()
}

// inject makes the server change its SETTINGS, never beyond what it accepts in fact.
func (w *chaos) inject(what int) {
	w.collect()
	l := &w.s.sh.cfg.Limits
	part := func(n uint32) uint32 {
		if w.calm {
			return n
		}
		return uint32(w.r.IntN(int(n) + 1))
	}
	switch what {
	case 0:
		w.down = append(w.down, setting(settingWindow, part(uint32(l.Window)))...)
	case 1:
		w.down = append(w.down, setting(settingStreams, part(l.Streams))...)
	case 2:
		// Other sizes can need two updates, of which hpack's decoder accepts only the first.
		w.down = append(w.down, setting(settingTable, 4096*part(1), settingFrame, 16384+part(l.Frame-16384))...)
	}
}

// run runs one seed.
func run(t testing.TB, seed uint64, steps int) {
	w := &chaos{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 2)), cl: rolestest.New(), sl: rolestest.New()}
	r := w.r
	cfgs := [2]Config{DefaultConfig(), DefaultConfig()}
	for i := range cfgs {
		l := &cfgs[i].Limits
		l.Window = []int32{200, 1000, 5000, 65535, 256 << 10}[r.IntN(5)]
		l.ConnWindow = []int32{200, 65535, 100000, 1 << 20}[r.IntN(4)]
		l.Kept = []int{0, 1000, 1 << 20}[r.IntN(3)]
		l.Streams = []uint32{1, 3, 100}[r.IntN(3)]
		l.Frame = []uint32{16384, 16384, 20000}[r.IntN(3)]
		l.Drain = []int64{0, 100, 100000}[r.IntN(3)]
		l.Frames, l.Resets = 1<<20, 1000
		[]*rolestest.Lower{w.cl, w.sl}[i].OnHold = func(_ roles.Kind, n int) { w.kept[i] += n }
	}
	w.most = 200000
	if min(cfgs[0].Limits.Window, cfgs[1].Limits.Window, cfgs[0].Limits.ConnWindow, cfgs[1].Limits.ConnWindow) < 5000 {
		w.most = 10000
	}
	w.shared = [2]*Shared{NewShared(cfgs[0]), NewShared(cfgs[1])}
	w.c.Init(w.shared[0], w.cl)
	w.c.Owner = w
	w.s.Init(w.shared[1], w.sl, w)
	w.cl.Open(&w.c)
	w.sl.Open(&w.s)
	for range 1 + r.IntN(10) {
		w.start()
	}
	for range steps {
		w.step()
	}
	switch r.IntN(6) {
	case 0:
		w.sl.Break(errors.New("cut"))
		w.cl.Break(errors.New("cut"))
	case 1:
		for range 10 {
			w.carry(1 << 30)
		}
		w.cl.End()
		w.cut = true
	}
	w.calm = true
	w.cl.Refuse, w.sl.Refuse, w.cl.Allow, w.sl.Allow = false, false, 0, 0
	w.cl.Short, w.sl.Short = false, false
	for _, g := range w.shared {
		g.Relieve()
	}
	for what := range 2 {
		w.inject(what)
	}
	for i := 0; !w.over(); i++ {
		for _, a := range append(append([]*actor(nil), w.clients...), w.servers...) {
			if !a.done && a.x != nil {
				a.x.Resume()
				if a.manual {
					a.x.Credit(1 << 16)
				}
				a.x.WantWrite()
			}
		}
		w.carry(1 << 30)
		if i > 20000 {
			// Windows of one octet take long, and slow bodies have deadlines.
			w.cl.Sleep(10 * time.Second)
			w.sl.Sleep(10 * time.Second)
		}
		if i > 21000 {
			for _, a := range append(append([]*actor(nil), w.clients...), w.servers...) {
				if !a.done {
					t.Logf("%+v", a)
				}
			}
			for _, x := range w.c.streams {
				t.Logf("client stream %d: flags %b, state %d, windows %d, %d and %d", x.id, x.flags, x.state, x.sendWin, x.recvWin, w.c.sendWin)
			}
			w.failf("%d and %d streams are still open; client %v %v, server %v %v", w.c.Active(), w.s.Active(), w.cl.Over, w.c.phase, w.sl.Over, w.s.phase)
		}
	}
	w.carry(1 << 30)
	w.cl.Break(nil)
	w.sl.Break(nil)
	if w.kept != [2]int{} {
		w.failf("bytes still charged: %v", w.kept)
	}
	for _, c := range []*conn{&w.c.conn, &w.s.conn} {
		if c.kept != 0 || c.resumedCount != 0 || c.opened != 0 || len(c.streams) != 0 || c.ready.Len()+c.connBlocked.Len()+c.done.Len() != 0 {
			w.failf("left over: kept %d, resumed %d, opened %d, streams %d", c.kept, c.resumedCount, c.opened, len(c.streams))
		}
		if c.creditedConn != 0 || c.withheld != 0 || len(c.sh.withheld) != 0 {
			w.failf("left over: %d bytes credited ahead, %d connections with withheld windows", c.creditedConn, len(c.sh.withheld))
		}
		if whole := int64(max(c.sh.cfg.Limits.ConnWindow, defaultWindow)); c.dataLeft+c.padLeft == 0 && c.recvWin+c.credit != whole {
			w.failf("the connection's window plus its credit: got %d, want %d", c.recvWin+c.credit, whole)
		}
	}
	if w.cl.Misuse != "" || w.sl.Misuse != "" {
		w.failf("misuse of the transport: client %q, server %q", w.cl.Misuse, w.sl.Misuse)
	}
	if n := w.c.sh.Counters.Failed + w.s.sh.Counters.Failed; n != 0 && w.c.sh.Counters.Timeouts+w.s.sh.Counters.Timeouts == 0 {
		w.failf("a connection failed: client %+v, server %+v; %v, %v", w.c.sh.Counters, w.s.sh.Counters, w.cl.Cause, w.sl.Cause)
	}
	if n := w.c.sh.Counters.Malformed + w.s.sh.Counters.Malformed; n != 0 {
		w.failf("%d faults, want none", n)
	}
}

func (w *chaos) over() bool {
	for _, a := range w.clients {
		if !a.done {
			return false
		}
	}
	for _, a := range w.servers {
		if !a.done {
			return false
		}
	}
	return true
}

// TestChaos: whatever happens, a body arrives complete or its exchange ends with a cause, every exchange ends once,
// and no byte stays charged.
func TestChaos(t *testing.T) {
	seeds := uint64(500)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		run(t, seed, 300)
	}
}
