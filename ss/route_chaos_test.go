package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss"
)

const moodyDoc = `{"retry":[{"r":{"backoff":[50,200,1000],"conceal":65535,"jitterpc":30}}],"s":[
	{"get":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_url":"/${id}","retry":"r","opportunistic":true,"metadata":[{"id":""}]}},
	{"post":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_method":"POST","http_url":"/${id}","retry":"r","opportunistic":true,"metadata":[{"id":""}]}},
	{"raw":{"server":true,"port":80,"protocol":"raw"}}]}`

// moods is a world in which HTTP/2 servers change at random how many streams they accept,
// which of them, and whether they stay.
type moods struct {
	*world
	r      *rand.Rand
	gentle bool // every request is answered in the end
	calm   bool // from now on without moods
	next   int
	acted  map[string]bool   // requests that a server has taken up, by path
	bodies map[string][]byte // of POSTs that have come whole
	errands
}

// errands are the client streams.
type errands []*errand

func (l errands) over() bool {
	for _, e := range l {
		if !e.dead {
			return false
		}
	}
	return true
}

// moodyPeer is a framePeer with moods.
type moodyPeer struct {
	*framePeer
	m    *moods
	last uint32 // the last stream that is taken
	top  uint32 // the highest that was
	gone bool   // GOAWAY was said
}

func (m *moods) later(most time.Duration, f func()) {
	m.Net.At(time.Duration(m.r.Int64N(int64(most))), f)
}

// chance is true with probability 1/n, while moods are on.
func (m *moods) chance(n int) bool { return !m.calm && m.r.IntN(n) == 0 }

func (m *moods) peer(p *framePeer) {
	y := &moodyPeer{framePeer: p, m: m, last: 1<<31 - 1}
	if m.chance(3) {
		p.limit = 1 + m.r.IntN(4)
	}
	p.onHead, p.onReq = y.began, nil
	if m.chance(4) {
		m.later(time.Second, y.leave)
	}
	if m.chance(3) {
		m.later(500*time.Millisecond, func() { y.relimit(m.r.IntN(3)) })
	}
	if !m.gentle && m.chance(5) {
		m.later(time.Second, y.die)
	}
}

// relimit changes the limit, and never leaves it at 0.
func (y *moodyPeer) relimit(n int) {
	if y.over {
		return
	}
	y.settings(n)
	if n == 0 {
		y.m.later(500*time.Millisecond, func() { y.relimit(1 + y.m.r.IntN(5)) })
	}
}

func (y *moodyPeer) die() {
	if !y.over {
		y.h.Destroy()
	}
}

// leave sends GOAWAY with the last accepted stream or a later one, and closes when it has answered.
func (y *moodyPeer) leave() {
	if y.over || y.gone {
		return
	}
	y.gone, y.last = true, y.top
	if y.m.chance(3) {
		y.last += 2
	}
	y.goAway(y.last, 0)
	y.depart()
}

func (y *moodyPeer) depart() {
	for id := range y.open {
		if id > y.last {
			delete(y.open, id)
		}
	}
	if y.gone && len(y.open) == 0 && len(y.out) == 0 {
		y.m.later(50*time.Millisecond, y.die)
	}
}

// began is called for each request's head.
func (y *moodyPeer) began(q *peerRequest) {
	m := y.m
	if q.id > y.last {
		y.finish(q)
		return
	}
	if m.acted[q.path] {
		m.t.Errorf("%s was asked again after a server had taken it up", q.path)
	}
	if m.chance(12) {
		y.reset(q, codeRefused)
		return
	}
	m.acted[q.path] = true
	y.top = max(y.top, q.id)
	switch {
	case m.chance(15):
		y.leave()
	case m.chance(15):
		y.relimit(m.r.IntN(3))
	case !m.gentle && m.chance(20):
		m.later(200*time.Millisecond, y.die)
	}
	m.later(200*time.Millisecond, func() { y.answerTo(q) })
}

// answerTo answers a request that is complete, or waits until it is.
func (y *moodyPeer) answerTo(q *peerRequest) {
	m := y.m
	switch {
	case y.over || q.done:
		return
	case !q.complete:
		m.Net.At(10*time.Millisecond, func() { y.answerTo(q) })
		return
	case !m.gentle && m.chance(12):
		y.reset(q, codeInternal)
		y.depart()
		return
	case !m.gentle && m.chance(25):
		return // it is forgotten
	}
	reply := "hello " + q.path
	if q.method == "POST" {
		m.bodies[q.path] = q.body
	}
	if m.chance(4) {
		y.head(q, 103, false)
	}
	y.head(q, 200, false)
	var rest func(s string)
	rest = func(s string) {
		if y.over || q.done {
			return
		}
		n := m.r.IntN(len(s) + 1)
		y.data(q, s[:n], n == len(s))
		if n < len(s) {
			m.later(50*time.Millisecond, func() { rest(s[n:]) })
		} else {
			y.depart()
		}
	}
	rest(reply)
}

// errand is a client stream with a number of transactions.
type errand struct {
	m       *moods
	h       *ss.Handle
	kind    string
	left    int
	path    string
	body    []byte
	out, in []byte
	dead    bool
	done    int
	fresh   bool // the next attempt is for another request than the last
}

// State implements ss.Stream. A POST keeps its name until its stream has received its outcome, so that one which
// is repeated unseen is detected. GETs may be repeated, and have another name each time.
func (e *errand) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	m := e.m
	if e.dead {
		m.t.Errorf("%s: told %v after DESTROYING", e.path, s)
	}
	switch s {
	case ss.Creating:
		e.h, e.fresh = h, true
		return h.RequestTx()
	case ss.Connecting:
		if e.fresh || e.kind == "get" && !n.Again {
			m.next++
			e.fresh = false
			e.path = "/" + strconv.Itoa(m.next)
			h.SetMetadataString("id", strconv.Itoa(m.next))
			e.body = payload(uint32(m.next), m.r.IntN(9000))
		}
		e.in, e.out = e.in[:0], e.body
		if m.chance(20) {
			h.StartTimeout(time.Duration(1+m.r.IntN(900)) * time.Millisecond)
		} else {
			h.StartTimeout(20 * time.Second)
		}
	case ss.Timeout:
		return ss.DisconnectMe
	case ss.QOSAckRemote:
		if want := "hello " + e.path; string(e.in) != want {
			m.t.Errorf("%s: acked with %q, want %q", e.path, e.in, want)
		}
		if e.kind == "post" && !bytes.Equal(m.bodies[e.path], e.body) {
			m.t.Errorf("%s: acked, but the server saw %d bytes, want %d", e.path, len(m.bodies[e.path]), len(e.body))
		}
		e.done++
		if e.left--; e.left == 0 {
			return ss.DestroyMe
		}
	case ss.AllRetriesFailed:
		if e.kind == "get" || !errors.Is(n.Cause, http.ErrOutcomeUnknown) {
			m.t.Errorf("%s: told %v for %v", e.path, s, n.Cause)
		}
		e.fresh = true
		return h.RequestTx()
	case ss.QOSNackRemote:
		m.t.Errorf("%s: told %v", e.path, s)
	case ss.Disconnected:
		e.fresh = true
		return h.RequestTx()
	case ss.Destroying:
		e.dead = true
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (e *errand) Rx(h *ss.Handle, b []byte, _ ss.Flags) ss.Ret {
	e.in = append(e.in, b...)
	e.m.meddle()
	if e.m.chance(10) {
		h.Pause()
		e.m.later(100*time.Millisecond, h.Resume)
	}
	return ss.OK
}

// meddle makes one stream's callback call a method of another, which may be on the same connection.
func (m *moods) meddle() {
	if !m.chance(10) {
		return
	}
	h := m.errands[m.r.IntN(len(m.errands))].h
	switch what := m.r.IntN(5); {
	case h == nil:
	case what == 0:
		h.Disconnect()
	case what == 1:
		h.Connect()
	case what == 2:
		h.RequestTx()
	case what == 3:
		h.Pause()
		m.later(100*time.Millisecond, h.Resume)
	case !m.gentle:
		h.Destroy()
	}
}

// Tx implements ss.Stream.
func (e *errand) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if e.kind == "get" {
		e.m.t.Errorf("%s: Tx for a GET", e.path)
	}
	if e.m.chance(6) {
		e.m.later(100*time.Millisecond, func() { h.RequestTx() })
		return 0, 0, ss.TxDontSend
	}
	n := copy(buf, e.out[:min(len(e.out), 1+e.m.r.IntN(4000))])
	if e.out = e.out[n:]; len(e.out) > 0 {
		h.RequestTx()
		return n, 0, ss.OK
	}
	return n, ss.EOM, ss.OK
}

// moodyStory is the run of one seed.
func moodyStory(t *testing.T, seed uint64) uint64 {
	r := rand.New(rand.NewPCG(seed, 7))
	p := plan{Seed: seed, Net: badLink(r)}
	gentle := seed%3 == 0
	if !gentle {
		worse(r, &p.Net)
	}
	keep := []time.Duration{0, -1, 100 * time.Millisecond}[r.IntN(3)]
	p.Client = func(c *ss.Config) { c.KeepWarm, c.SharedMax = keep, 1+r.IntN(3) }
	m := &moods{world: newWorld(t, moodyDoc, p), r: r, gentle: gentle, acted: make(map[string]bool), bodies: make(map[string][]byte)}
	var serve func()
	serve = func() {
		if _, err := m.framesOrError("raw", m.peer); err != nil {
			m.Net.At(time.Second, serve) // for want of descriptors
		}
	}
	serve()
	for range 2 + r.IntN(12) {
		e := &errand{m: m, kind: []string{"get", "post"}[r.IntN(2)], left: 1 + r.IntN(4)}
		m.errands = append(m.errands, e)
		m.Net.At(time.Duration(r.IntN(300))*time.Millisecond, func() {
			h, err := m.Client.Runtime.Create(ss.Info{StreamType: e.kind, New: func(*ss.Handle) ss.Stream { return e }})
			if err != nil {
				t.Fatal(err)
			}
			if m.chance(5) {
				m.later(time.Second, h.Disconnect)
			}
			if !gentle && m.chance(10) {
				m.later(time.Second, h.Destroy)
			}
		})
	}
	m.Net.At(2*time.Minute, func() {
		// What is still running ends now that there are no more faults.
		m.calm = true
		o := m.Net.Options()
		o.Refuse, o.BlackHole, o.Reset, o.Die, o.MaxDescriptors, o.Pause, o.CallCost = 0, 0, 0, 0, 0, 0, 0
		m.Net.SetOptions(o)
	})
	m.Run("the errands", m.errands.over)
	m.Patience = 4 * time.Hour // what was committed to a peer that has vanished may leave by the byte, and each buys 5 s
	return m.Net.Digest()
}

// TestMoodyServers runs streams that share connections against servers that refuse, leave, and change their
// limits at every point, over links that break at any. What it holds: both tables; no request is made again
// that a server has taken up; what is acked is whole; every stream comes to its end; nothing is left.
func TestMoodyServers(t *testing.T) {
	first, n := uint64(0), uint64(1000)
	if testing.Short() {
		n = 50
	}
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("replay: go test ./ss -run 'TestMoodyServers$' -seed=%d", seed)
				}
			})
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			moodyStory(t, seed)
		})
	}
}

// TestMoodyReplays: the same seed gives the same run.
func TestMoodyReplays(t *testing.T) {
	for _, seed := range []uint64{3, 8, 1001} {
		var digest [2]uint64
		for i := range digest {
			t.Run(fmt.Sprintf("%d, run %d", seed, i), func(t *testing.T) { digest[i] = moodyStory(t, seed) })
		}
		if digest[0] != digest[1] {
			t.Errorf("seed %d: digests of two runs: got %x and %x, want the same", seed, digest[0], digest[1])
		}
	}
}
