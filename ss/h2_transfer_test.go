package ss_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/h2"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
)

// transferDoc has a client and a server of HTTP/2 without TLS, by prior knowledge.
const transferDoc = `{"retry":[{"once":{"backoff":[1000],"conceal":0,"jitterpc":0}}],"s":[
	{"store":{"server":true,"port":80,"protocol":"h2"}},
	{"put":{"endpoint":"10.0.0.2","port":80,"protocol":"h2","http_method":"PUT","http_url":"/x","opportunistic":true,"retry":"once"}}]}`

// pattern is the byte at position i of every body of these tests: its period is coprime with the sizes of
// frames, records and windows.
func pattern(i int) byte { return byte(i ^ i>>8*131 ^ i>>16*29) }

// bodyOut returns n bytes of pattern from Tx, and counts them.
type bodyOut struct{ n, at int }

func (o *bodyOut) tx(h *ss.Handle, buf []byte) (int, ss.Flags, ss.Ret) {
	k := min(len(buf), o.n-o.at)
	for i := range k {
		buf[i] = pattern(o.at + i)
	}
	var f ss.Flags
	if o.at == 0 {
		f = ss.SOM
	}
	if o.at += k; o.at == o.n {
		f |= ss.EOM
	} else {
		h.RequestTx()
	}
	return k, f, ss.OK
}

// bodyIn checks pattern in Rx.
type bodyIn struct {
	at   int
	bad  int // position of the first byte that is not what was sent; valid if spoilt
	fail bool
	end  bool
}

func (i *bodyIn) rx(b []byte, f ss.Flags) {
	for k, c := range b {
		if c != pattern(i.at+k) && !i.fail {
			i.fail, i.bad = true, i.at+k
		}
	}
	i.at += len(b)
	i.end = i.end || f&ss.EOM != 0
}

func (i *bodyIn) String() string {
	return fmt.Sprintf("%d bytes, spoilt: %v at %d, ended: %v", i.at, i.fail, i.bad, i.end)
}

// TestTransfersAcrossWindows sends bodies with lengths around every multiple of every window, up to more than
// 1 MiB, in both directions at once, over several networks. They must arrive unchanged and complete.
func TestTransfersAcrossWindows(t *testing.T) {
	const window, connWindow = 65536, 3 * 65536 / 2 // small ones, so that there are many multiples
	var sizes []int
	for k := 1; k*window <= 1<<20+window; k++ {
		for d := -2; d <= 2; d++ {
			sizes = append(sizes, k*window+d)
		}
	}
	for d := -9; d <= 9; d++ { // of a frame, of a record, of a frame in a record
		sizes = append(sizes, 16384+d, 1<<20+d, connWindow+d, 2*connWindow+d)
	}
	if testing.Short() {
		sizes = sizes[len(sizes)-38:]
	}
	nets := []sim.Options{{}, {Link: sim.Link{Latency: 40 * time.Millisecond}}, {SndBuf: 5000, RcvBuf: 3000}, {ShortRead: 0.3, ShortWrite: 0.3}}
	for n, size := range sizes {
		small := func(c *ss.Config) {
			cfg := h2.DefaultConfig()
			cfg.Limits.Window, cfg.Limits.ConnWindow = window, connWindow
			c.H2 = &cfg
		}
		w := newWorld(t, transferDoc, plan{Seed: uint64(n), Net: nets[n%len(nets)], Client: small, Server: small})
		var up, down bodyIn
		w.Serve("store", func(s *script) {
			s.QuietTx = true
			out := bodyOut{n: size}
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				if up.rx(b, f); up.end {
					return h.RequestTx()
				}
				return ss.OK
			}
			s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				// An answer that is complete before its request would end the request.
				if left := out.n - out.at - 1; !up.end && len(buf) > left {
					if buf = buf[:left]; left == 0 {
						return 0, 0, ss.TxDontSend
					}
				}
				return out.tx(h, buf)
			}
			s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
				h.ServerAck(0)
				return h.RequestTx()
			})
		})
		c := newScript()
		c.QuietTx = true
		out := bodyOut{n: size}
		c.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret { down.rx(b, f); return ss.OK }
		c.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) { return out.tx(h, buf) }
		h := w.Create("put", c)
		h.RequestTx()
		w.Run(fmt.Sprintf("%d bytes both ways", size), func() bool {
			return c.Told(ss.Disconnected)+c.Told(ss.AllRetriesFailed) > 0
		})
		for what, in := range map[string]*bodyIn{"up": &up, "down": &down} {
			if in.at != size || in.fail || !in.end {
				t.Fatalf("seed %d: %d bytes %s: %v\ncauses: %v", n, size, what, in, c.Causes)
			}
		}
		if c.Told(ss.QOSAckRemote) != 1 {
			t.Fatalf("seed %d: %d bytes: told %s", n, size, c.Life())
		}
		w.End()
	}
}

// TestStreamsShareFairly has 100 streams download at the same time over one connection that is the bottleneck.
// When half of the bytes have arrived, no stream may have less than half of its share, in either direction.
func TestStreamsShareFairly(t *testing.T) {
	const streams, each = 100, 200 << 10
	for _, dir := range []string{"down", "up"} {
		t.Run(dir, func(t *testing.T) {
			for seed := range uint64(5) {
				w := newWorld(t, transferDoc, plan{Seed: seed, Net: sim.Options{Link: sim.Link{Latency: 5 * time.Millisecond, Bandwidth: 10 << 20}, SndBuf: 64 << 10}})
				var got [streams]int
				ends := 0
				total := func() (n int) {
					for _, k := range got {
						n += k
					}
					return n
				}
				lane := 0
				w.Serve("store", func(s *script) {
					s.QuietTx = true
					out := bodyOut{n: each}
					mine := lane
					lane++
					s.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
						if dir == "up" {
							got[mine] += len(b)
						}
						if f&ss.EOM != 0 {
							s.Handle.ServerAck(0)
							return s.Handle.RequestTx()
						}
						return ss.OK
					}
					s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
						if dir == "up" {
							return 0, ss.SOM | ss.EOM, ss.OK
						}
						return out.tx(h, buf)
					}
				})
				for i := range streams {
					c := newScript()
					c.QuietTx = true
					out := bodyOut{n: each}
					c.OnRx = func(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
						if dir == "down" {
							got[i] += len(b)
						}
						return ss.OK
					}
					c.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
						if dir == "down" {
							return 0, ss.SOM | ss.EOM, ss.OK
						}
						return out.tx(h, buf)
					}
					c.When(ss.Disconnected, func(*ss.Handle) ss.Ret { ends++; return ss.OK })
					w.Create("put", c).RequestTx()
				}
				w.Run("half of the bytes", func() bool { return total() >= streams*each/2 })
				if made := w.Server.Runtime.Net().Counters.Accepted; made != 1 {
					t.Fatalf("seed %d: %d connections, want one for all", seed, made)
				}
				share := total() / streams
				for i, n := range got {
					if n < share/2 {
						t.Errorf("seed %d: stream %d has %d bytes, less than half of its share of %d", seed, i, n, share)
					}
				}
				w.Run("the end", func() bool { return ends == streams })
				if n := total(); n != streams*each {
					t.Errorf("seed %d: %d bytes came, want %d", seed, n, streams*each)
				}
				w.End()
			}
		})
	}
}
