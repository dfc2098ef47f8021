package ss_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/ss"
)

// crowd is a world in which peers of both protocols send requests to a server of both, and both sides cancel at
// random.
type crowd struct {
	*world
	r      *rand.Rand
	gentle bool // no side cancels: every request is answered
	peers  []*peer
	calls  []*call
	sizes  map[string]int // of answers, by path
	ending bool
}

func (c *crowd) chance(n int) bool { return !c.gentle && !c.ending && c.r.IntN(n) == 0 }

func (c *crowd) later(most time.Duration, f func()) {
	c.Net.At(time.Duration(c.r.Int64N(int64(most))), f)
}

// clerk is a stream of the server: it answers a GET with a fixed number of bytes, and echoes the body of a POST.
type clerk struct {
	c       *crowd
	h       *ss.Handle
	name    string
	in, out []byte
	sent    int
	dead    bool
}

// whim is a random additional call of a callback.
func (k *clerk) whim(what string) ss.Ret {
	c, h := k.c, k.h
	if k.dead {
		c.t.Errorf("%s after DESTROYING", what)
	}
	switch {
	case c.chance(150):
		return ss.DisconnectMe
	case c.chance(150):
		return ss.DestroyMe
	case c.chance(200):
		h.Destroy()
	case c.chance(40):
		h.Pause()
		c.later(100*time.Millisecond, h.Resume)
	case c.chance(80):
		h.StartTimeout(time.Duration(1+c.r.IntN(200)) * time.Millisecond)
	case c.chance(300):
		c.Accepted = c.Accepted[:0]
		h.Server().ForEachClient(func(o *ss.Handle) {
			if c.r.IntN(3) == 0 {
				o.Disconnect()
			}
		})
	}
	return ss.OK
}

func (k *clerk) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	k.h = h
	r := k.whim(short(s))
	switch s {
	case ss.ServerTxn:
		path, _ := h.Metadata("path")
		k.name, k.in, k.out, k.sent = string(path), nil, nil, 0
		if h.RequestBody() {
			break
		}
		k.out = crowdBody(k.name, k.c.sizes[k.name])
		if k.c.r.IntN(3) == 0 {
			k.c.later(50*time.Millisecond, func() {
				if k.name == string(path) && k.sent == 0 {
					k.answer()
				}
			})
			break
		}
		k.answer()
	case ss.Timeout:
		if k.c.chance(2) {
			return ss.DisconnectMe
		}
	case ss.Destroying:
		k.dead = true
	}
	return r
}

func (k *clerk) answer() {
	k.h.ServerAck(0)
	if k.c.r.IntN(2) == 0 {
		k.h.RequestTxLen(int64(len(k.out)))
	} else {
		k.h.RequestTx()
	}
}

func (k *clerk) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	k.in = append(k.in, b...)
	if f&ss.EOM != 0 {
		if want := crowdBody(k.name, k.c.sizes[k.name]); !bytes.Equal(k.in, want) {
			k.c.t.Errorf("the body of %s: got %d bytes, want %d, or others", k.name, len(k.in), len(want))
		}
		k.out = k.in
		k.answer()
	}
	return k.whim("Rx")
}

func (k *clerk) Tx(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	if r := k.whim("Tx"); r != ss.OK {
		return 0, 0, r
	}
	n := copy(buf[:min(len(buf), 1+k.c.r.IntN(40000))], k.out[k.sent:])
	if k.sent += n; k.sent < len(k.out) {
		h.RequestTx()
		return n, 0, ss.OK
	}
	return n, ss.EOM, ss.OK
}

// crowdBody is the body for that path.
func crowdBody(path string, size int) []byte {
	n, _ := strconv.Atoi(strings.TrimPrefix(path, "/"))
	return payload(uint32(n), size)
}

// ask makes a request on one of the peers.
func (c *crowd) ask() {
	p := c.peers[c.r.IntN(len(c.peers))]
	if !p.up || p.over {
		return
	}
	path := fmt.Sprintf("/%d", len(c.calls)+1)
	size := []int{0, 1, 100, 5000, 20_000, 300_000}[c.r.IntN(6)]
	c.sizes[path] = size
	q := &call{expect: crowdBody(path, size)}
	q.set("GET", path)
	if c.r.IntN(3) == 0 {
		q.set("POST", path)
		q.body = string(q.expect)
		if size > 0 && c.r.IntN(2) == 0 {
			q.length = -1
		}
		q.goAhead = size > 0 && c.r.IntN(4) == 0
	}
	c.calls = append(c.calls, q)
	p.send(q)
	switch {
	case c.chance(6):
		c.later(100*time.Millisecond, func() {
			if q.x != nil {
				q.x.Reset(nil)
			}
		})
	case c.chance(6):
		c.later(20*time.Millisecond, func() {
			if q.x != nil {
				q.x.Pause()
				c.later(300*time.Millisecond, func() {
					if q.x != nil {
						q.x.Resume()
					}
				})
			}
		})
	}
}

// crowdStory is the run of one seed.
func crowdStory(t *testing.T, seed uint64) uint64 {
	r := rand.New(rand.NewPCG(seed, 11))
	o := plan{Seed: seed, Net: badLink(r), Server: func(c *ss.Config) { c.IdleStreams = []int{-1, 1, 4}[seed%3] }}
	gentle := seed%3 == 0
	if !gentle && r.IntN(2) == 0 {
		worse(r, &o.Net)
	}
	c := &crowd{world: newWorld(t, webDoc, o), r: r, gentle: gentle, sizes: map[string]int{}}
	c.Patience = 5 * time.Minute
	server, err := c.Server.Runtime.Create(ss.Info{StreamType: "web", New: func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			return nil
		}
		return &clerk{c: c, h: h}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 1 + r.IntN(5) {
		c.later(50*time.Millisecond, func() {
			p := c.dialPeer(protocols[r.IntN(2)])
			c.peers = append(c.peers, p)
			if c.chance(5) {
				c.later(time.Second, func() { p.wsi.Close(roles.CloseMode(r.IntN(3)), nil) })
			}
		})
	}
	for range 10 + r.IntN(60) {
		c.Net.At(50*time.Millisecond+time.Duration(r.IntN(900))*time.Millisecond, func() {
			if len(c.peers) > 0 {
				c.ask()
			}
		})
	}
	switch {
	case c.chance(4):
		c.later(time.Second, func() { c.Server.Runtime.Drain(func() {}) })
	case c.chance(6):
		c.later(time.Second, server.Destroy)
	}
	c.Advance(time.Second)
	c.ending = true
	n := c.Net.Options()
	n.Pause, n.CallCost = 0, 0
	c.Net.SetOptions(n)
	all := func() bool {
		for _, q := range c.calls {
			if !q.done && !q.p.over {
				return false
			}
		}
		return true
	}
	if !gentle {
		// A peer whose responses were lost would wait indefinitely.
		c.Net.At(10*time.Minute, func() {
			for _, p := range c.peers {
				p.wsi.Close(roles.Reset, nil)
			}
		})
	}
	c.Run("the calls to be over", all)
	for _, q := range c.calls {
		whole := q.done && q.cause == nil
		if gentle && !whole {
			t.Errorf("%s %s: %s though nothing broke: %v", q.Method, q.Target, q.seen(), q.cause)
		}
		if whole && (q.status != 200 || q.got != len(q.expect)) {
			t.Errorf("%s %s: got %d and %d bytes and an orderly end, want 200 and %d bytes", q.Method, q.Target, q.status, q.got, len(q.expect))
		}
	}
	return c.Net.Digest()
}

// TestCrowd runs random requests over both protocols against a server with whims, one network per seed. It
// checks both state tables for every handle, that every response is complete or visibly cut, and that nothing is left.
func TestCrowd(t *testing.T) {
	first, n := uint64(0), uint64(300)
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
					t.Logf("replay: go test ./ss -run 'TestCrowd$' -seed=%d", seed)
				}
			})
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			crowdStory(t, seed)
		})
	}
}

// TestCrowdReplays: the same seed gives the same run.
func TestCrowdReplays(t *testing.T) {
	for _, seed := range []uint64{3, 8, 1001} {
		var digest [2]uint64
		for i := range digest {
			t.Run(fmt.Sprintf("%d, run %d", seed, i), func(t *testing.T) { digest[i] = crowdStory(t, seed) })
		}
		if digest[0] != digest[1] {
			t.Errorf("seed %d: digests of two runs: got %x and %x, want the same", seed, digest[0], digest[1])
		}
	}
}
