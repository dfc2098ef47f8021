package wsi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/sim"
)

// plan is how a talker ends.
type plan uint8

const (
	polite plan = iota // ends its direction, and closes when the peer has ended its direction too
	leaver             // closes gracefully after it has sent all
	hasty              // closes immediately after it has sent all
	rude               // resets at a random time
)

var planNames = [...]string{"polite", "leaver", "hasty", "rude"}

// talker is an Upper that sends its text and uses input in pieces of any size, with pauses.
type talker struct {
	*fake
	r     *rand.Rand
	plan  plan
	text  string // to be sent, all of it
	sent  int    // committed
	shut  bool   // sent all and ended our direction
	total int    // received when the peer's end was reported; -1: it was not
	left  int    // unused bytes of these
	end   func() (loop.Addr, bool)
	port  uint16 // of the dialling end, which identifies the two talkers of a connection
}

// talkers is an Acceptor of talkers.
type talkers struct {
	make func() *talker
}

func (a *talkers) Accept(*Listener) (*Wsi, roles.Upper) {
	k := a.make()
	return k.w, k
}

func newTalker(t testing.TB, name string, r *rand.Rand, p plan) *talker {
	k := &talker{fake: newFake(t, name), r: r, plan: p, total: -1}
	k.text = numbered(r.IntN(1 << (4 + r.IntN(14))))
	k.unestablished = r.IntN(4) == 0
	k.onOpened = func() {
		addr, _ := k.end()
		k.port = addr.IP.Port()
		k.produce()
		k.w.WantWrite()
	}
	k.onRx = k.take
	k.onRxEnd = func(unused int) {
		k.total, k.left = len(k.got)+unused, unused
		if unused > 0 {
			k.nap() // the rest is offered again after Resume
		} else {
			k.leave()
		}
	}
	k.onWritable = func() {
		if k.r.IntN(8) > 0 {
			k.produce()
		}
		if k.sent < len(k.text) {
			k.w.WantWrite()
		}
	}
	k.onTimeout = func() { k.w.Resume(); k.produce() }
	return k
}

// produce commits a part of the text, and starts to leave when there is no more.
func (k *talker) produce() {
	for range k.r.IntN(3) {
		room := k.w.Room(1 + k.r.IntN(roles.MaxRoom))
		if room == nil {
			return
		}
		n := copy(room[:k.r.IntN(1+min(len(room), 1<<k.r.IntN(16)))], k.text[k.sent:])
		k.w.Commit(n)
		k.sent += n
	}
	if k.sent < len(k.text) || k.shut {
		return
	}
	k.shut = true
	switch k.plan {
	case leaver:
		k.w.Close(roles.Graceful, nil)
	case hasty:
		k.w.Close(roles.Immediate, nil)
	default:
		k.w.CloseWrite()
		k.leave()
	}
}

// leave closes when both directions have ended.
func (k *talker) leave() {
	if k.shut && k.ended && k.left == 0 {
		k.w.Close(roles.Graceful, nil)
	}
}

// take uses a part of b and sometimes pauses.
func (k *talker) take(b []byte) int {
	if k.ended {
		k.left = 0
		k.leave()
		return len(b)
	}
	if !k.unestablished && k.r.IntN(20) == 0 {
		k.nap()
	}
	if k.r.IntN(3) == 0 {
		k.produce()
	}
	if k.unestablished {
		k.unestablished = false
		k.w.Established()
	}
	if len(b) < 4000 && k.r.IntN(4) == 0 {
		return 0
	}
	return 1 + k.r.IntN(len(b))
}

// nap pauses and sets the deadline to resume.
func (k *talker) nap() {
	k.w.Pause()
	k.deadline = k.now + time.Duration(1+k.r.IntN(int(time.Second)))
}

// fuss makes random calls that an owner may make at any time.
func (k *talker) fuss(now time.Duration) {
	if k.closed > 0 || !k.open {
		return
	}
	k.now = now
	switch k.r.IntN(5) {
	case 0:
		k.nap()
		k.w.Rearm()
	case 1:
		k.w.Resume()
	case 2:
		k.w.WantWrite()
	case 3:
		k.w.Rearm()
	case 4:
		if k.plan == rude {
			k.w.Close(roles.Reset, nil)
		}
	}
}

// randomFaults returns faults that delay and split; with rough, also some that break connections.
func randomFaults(r *rand.Rand, rough bool) sim.Options {
	maybe := func(most int) int { return r.IntN(2) * r.IntN(most) }
	probability := func(p float64) float64 { return p * float64(r.IntN(2)) }
	o := sim.Options{
		SndBuf: maybe(20_000), RcvBuf: maybe(20_000), ReadMax: maybe(3000), WriteMax: maybe(3000),
		ShortRead: probability(r.Float64()), ShortWrite: probability(r.Float64()),
		SpuriousWake: probability(0.1), SpuriousReady: probability(0.2), LateReady: probability(0.3),
		ShuffleReady: r.IntN(2) == 0, StrictEdges: r.IntN(2) == 0,
		CallCost: time.Duration(maybe(5000)),
		Pause:    probability(0.01), PauseMax: time.Second,
	}
	o.Latency, o.Jitter = time.Duration(maybe(int(100*time.Millisecond))), time.Duration(maybe(int(50*time.Millisecond)))
	if r.IntN(2) == 0 {
		o.Bandwidth = 20_000 + r.IntN(1_000_000)
	}
	if rough {
		o.Reset, o.Die, o.Refuse, o.BlackHole = probability(0.3), probability(0.2), probability(0.1), probability(0.1)
		o.FaultWithin = time.Duration(1 + r.Int64N(int64(3*time.Second)))
	}
	return o
}

// compare compares what to received with what from sent.
func compare(from, to *talker, rough bool) string {
	got := string(to.got)
	if from == nil {
		if len(got) > 0 {
			return fmt.Sprintf("%s: got %d bytes without a sender", to.name, len(got))
		}
		return ""
	}
	switch {
	case !strings.HasPrefix(from.text[:from.sent], got):
		i := 0
		for i < len(got) && i < from.sent && got[i] == from.text[i] {
			i++
		}
		return fmt.Sprintf("%s: got %d bytes that differ at %d from the %d sent", to.name, len(got), i, from.sent)
	case to.total >= 0 && from.plan == rude && !from.shut:
		return fmt.Sprintf("%s: got an orderly end of a talker that reset", to.name)
	case to.total >= 0 && from.plan != hasty && to.total != len(from.text):
		return fmt.Sprintf("%s: got an orderly end after %d bytes, want %d; the other, %s, committed %d and closed with %v; calls %q",
			to.name, to.total, len(from.text), planNames[from.plan], from.sent, from.cause, from.log[max(0, len(from.log)-8):])
	case !rough && from.plan == polite && to.plan == polite && (to.total < 0 || to.cause != nil || len(got) != len(from.text)):
		return fmt.Sprintf("%s: got %d of %d bytes, closed with %v, want all and an orderly end; last calls %q", to.name, len(got),
			len(from.text), to.cause, to.log[max(0, len(to.log)-8):])
	}
	return ""
}

// Under all faults and sizes, bytes are neither lost, duplicated nor reordered unless the connection reports an
// error, and at the end no resource is left.
func TestTalk(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		if talk(t, seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func talk(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	rough := seed%2 == 1
	plans := func() plan {
		if rough {
			return plan(r.IntN(len(planNames)))
		}
		return polite
	}
	lc := loop.Config{Bytes: 1 << (10 + r.IntN(9)), Accepts: 1 + r.IntN(3)}
	c := Config{MaxUnread: 5000 + r.IntN(1<<17), Timeouts: Timeouts{Idle: time.Minute}}
	wd := newWorld(t, seed, randomFaults(r, rough), lc, c)
	client := wd.other(lc, c)
	var dialled, accepted []*talker
	a := &talkers{make: func() *talker {
		k := newTalker(t, fmt.Sprint("accepted ", len(accepted)), r, plans())
		k.end = k.w.PeerAddr
		accepted = append(accepted, k)
		return k
	}}
	l, err := wd.net.Listen(Bind{Port: 80}, loop.ListenOptions{}, nil, a)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1 + r.IntN(3) {
		k := newTalker(t, fmt.Sprint("dialled ", i), r, plans())
		k.end = k.w.LocalAddr
		dialled = append(dialled, k)
		client.net.Dial(k.w, Target{Host: "10.0.0.2", Port: 80}, k, DialOptions{})
	}
	for range r.IntN(20) {
		wd.n.At(time.Duration(r.Int64N(int64(4*time.Second))), func() {
			if k := append(dialled[:len(dialled):len(dialled)], accepted...); len(k) > 0 {
				k[r.IntN(len(k))].fuss(wd.n.Now())
			}
		})
	}
	over := func() bool {
		for _, k := range append(dialled[:len(dialled):len(dialled)], accepted...) {
			if k.closed == 0 {
				return false
			}
		}
		return wd.net.Open()+client.net.Open() == 0
	}
	if err := wd.n.Run(over, time.Hour, wd.drivers...); err != nil {
		for _, k := range append(dialled, accepted...) {
			t.Logf("%s %s: %s, sent %d of %d, got %d, flags %b, deadline %v, calls %q", planNames[k.plan], k.name, k.w.phase, k.sent,
				len(k.text), len(k.got), k.w.flags, k.deadline, k.log[max(0, len(k.log)-8):])
		}
		t.Fatalf("seed %d: %v\n%+v", seed, err, wd.n.Options())
	}
	l.Close()
	wd.pass(time.Hour)
	for _, k := range dialled {
		other := (*talker)(nil)
		for _, o := range accepted {
			if k.port != 0 && o.port == k.port {
				other = o
			}
		}
		faults := []string{compare(other, k, rough)}
		if other != nil {
			faults = append(faults, compare(k, other, rough))
		}
		for _, fault := range faults {
			if fault != "" {
				t.Error(fault)
			}
		}
	}
	wd.wantEmpty(0)
	client.wantEmpty(0)
}
