package ss_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

var seedFlag = flag.Uint64("seed", 0, "run TestChaos with this seed alone")

const chaosDoc = `{"retry":[{"r":{"backoff":[50,200,1000],"conceal":4,"jitterpc":30}},{"few":{"backoff":[100],"conceal":1}}],"s":[
	{"echo":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","retry":"r"}},
	{"push":{"endpoint":"10.0.0.2","port":80,"protocol":"raw","opportunistic":true,"retry":"few"}},
	{"get":{"endpoint":"10.0.0.2","port":81,"protocol":"h1","http_url":"/${id}","retry":"r","opportunistic":true,"timeout_ms":900,"metadata":[{"id":""}]}},
	{"post":{"endpoint":"http://10.0.0.2:81","protocol":"h1","http_method":"POST","http_url":"${id}","retry":"few","opportunistic":true,"metadata":[{"id":""}]}},
	{"get2":{"endpoint":"10.0.0.2","port":82,"protocol":"h2","http_url":"/${id}","retry":"r","opportunistic":true,"timeout_ms":900,"metadata":[{"id":""}]}},
	{"post2":{"endpoint":"http://10.0.0.2:82","protocol":"h2","http_method":"POST","http_url":"${id}","retry":"few","opportunistic":true,"metadata":[{"id":""}]}},
	{"raw server":{"server":true,"port":80,"protocol":"raw"}},
	{"h1 server":{"server":true,"port":81,"protocol":"h1","metadata":[{"path":""},{"method":""},{"mime":"content-type:"}]}},
	{"h2 server":{"server":true,"port":82,"protocol":"h2","metadata":[{"path":""},{"method":""},{"mime":"content-type:"}]}}]}`

// chaos is a world in which clients have jobs and every fault can happen.
type chaos struct {
	*world
	r       *rand.Rand
	gentle  bool // nothing breaks connections: every job must come to its end
	ending  bool
	jobs    []*job
	next    uint32            // name of the next message
	sizes   map[uint32]int    // of messages, by name
	arrived map[uint32][]byte // bodies that the HTTP server has seen whole, by name
}

// payload fills a message: its bytes follow from its name and their position, so that a piece of one that
// arrives elsewhere, twice, or not at all, is detected.
func payload(name uint32, size int) []byte {
	b := make([]byte, size)
	r := rand.NewPCG(uint64(name), 99)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

func (c *chaos) message(most int) (name uint32, body []byte) {
	c.next++
	size := c.r.IntN(most)
	if c.r.IntN(8) == 0 {
		size = 0
	}
	c.sizes[c.next] = size
	return c.next, payload(c.next, size)
}

// job is a client stream with a number of messages to send.
type job struct {
	c       *chaos
	kind    string
	left    int // messages
	name    uint32
	body    []byte
	out     []byte // what remains to be said on this connection
	in      []byte // what came on it
	dead    bool
	done    int
	refused int // NACKs
}

// begin selects the next message, or ends the job.
func (j *job) begin(h *ss.Handle) ss.Ret {
	if j.left == 0 {
		return ss.DestroyMe
	}
	j.left--
	j.name, j.body = j.c.message(j.c.most())
	h.SetMetadataString("id", strconv.Itoa(int(j.name)))
	if j.kind == "post" && j.c.r.IntN(2) == 0 {
		return h.RequestTxLen(int64(len(j.body)))
	}
	return h.RequestTx()
}

func (c *chaos) most() int {
	o := c.Net.Options()
	if o.ReadMax != 0 && o.ReadMax < 100 || o.WriteMax != 0 && o.WriteMax < 100 {
		return 1500
	}
	return 40 << 10
}

// frame is the message of a raw client: name, size, body.
func (j *job) frame() []byte {
	b := binary.BigEndian.AppendUint32(nil, j.name)
	b = binary.BigEndian.AppendUint32(b, uint32(len(j.body)))
	return append(b, j.body...)
}

func (j *job) bad(format string, args ...any) {
	j.c.t.Errorf("%s %d (%d bytes): %s", j.kind, j.name, len(j.body), fmt.Sprintf(format, args...))
}

// State implements ss.Stream.
func (j *job) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if j.dead {
		j.bad("told %v after DESTROYING", s)
	}
	switch s {
	case ss.Creating:
		if j.c.r.IntN(4) == 0 {
			h.StartTimeout(time.Duration(1+j.c.r.IntN(2000)) * time.Millisecond)
		}
		return j.begin(h)
	case ss.Connecting:
		j.in = j.in[:0]
		j.out = j.body
		if j.kind == "echo" || j.kind == "push" {
			j.out = j.frame()
		}
		if j.c.r.IntN(4) == 0 {
			h.StartTimeout(ss.TimeoutFromPolicy)
		}
	case ss.Connected:
		if j.kind == "echo" || j.kind == "push" {
			return h.RequestTx()
		}
	case ss.Timeout:
		if !j.c.gentle {
			return []ss.Ret{ss.OK, ss.OK, ss.DisconnectMe}[j.c.r.IntN(3)]
		}
	case ss.QOSAckRemote:
		j.verify()
		j.done++
	case ss.QOSNackRemote:
		j.refused++
	case ss.Disconnected:
		if j.kind == "get" || j.kind == "post" {
			return j.begin(h)
		}
		if j.kind == "push" && j.done == 0 {
			h.RequestTx()
		}
	case ss.AllRetriesFailed:
		if j.left--; j.left < 0 {
			j.left = 0
			return ss.DestroyMe
		}
		if j.c.r.IntN(2) == 0 {
			return h.Connect()
		}
		return h.RequestTx()
	case ss.Destroying:
		j.dead = true
	}
	return ss.OK
}

// verify checks the payload of an acknowledged transaction.
func (j *job) verify() {
	switch j.kind {
	case "get":
		if want := payload(j.name, len(j.body)); !bytes.Equal(j.in, want) {
			j.bad("acked, but the response has %d bytes, equal %v; want %d", len(j.in), bytes.HasPrefix(want, j.in), len(want))
		}
	case "post":
		got, ok := j.c.arrived[j.name]
		if !ok || !bytes.Equal(got, j.body) {
			j.bad("acked, but the server saw %d bytes (whole: %v), equal %v", len(got), ok, bytes.Equal(got, j.body))
		}
		if want := fmt.Sprintf("got %d", len(j.body)); string(j.in) != want {
			j.bad("the answer: got %q, want %q", j.in, want)
		}
	}
}

// Rx implements ss.Stream.
func (j *job) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if j.dead {
		j.bad("Rx after DESTROYING")
	}
	j.in = append(j.in, b...)
	if j.kind == "echo" {
		want := j.frame()
		if !bytes.HasPrefix(want, j.in) {
			j.bad("the echo is no prefix of what was said: %d bytes", len(j.in))
			return ss.DestroyMe
		}
		if len(j.in) == len(want) {
			j.done++
			if j.left == 0 {
				return ss.DestroyMe
			}
			j.left--
			j.name, j.body = j.c.message(j.c.most())
			j.in, j.out = j.in[:0], j.frame()
			return h.RequestTx()
		}
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (j *job) Tx(h *ss.Handle, ordinal uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if j.dead {
		j.bad("Tx after DESTROYING")
	}
	if j.c.r.IntN(10) == 0 {
		h.RequestTx()
		return 0, 0, ss.TxDontSend
	}
	if ordinal == 0 {
		f = ss.SOM
	}
	n = min(len(buf), len(j.out), 1+j.c.r.IntN(20000))
	copy(buf, j.out[:n])
	j.out = j.out[n:]
	if len(j.out) > 0 {
		h.RequestTx()
		return n, f, ss.OK
	}
	if j.kind == "push" {
		j.done++
		h.Destroy() // what was committed still goes
	}
	return n, f | ss.EOM, ss.OK
}

// serveAll starts both servers; it retries after a lack of descriptors.
func (c *chaos) serveAll() {
	for _, typ := range []string{"raw server", "h1 server", "h2 server"} {
		var try func()
		try = func() {
			if c.ending {
				return
			}
			if _, err := c.Server.Runtime.Create(ss.Info{StreamType: typ, New: func(h *ss.Handle) ss.Stream {
				if typ == "raw server" {
					return &echoer{c: c}
				}
				return &servant{c: c}
			}}); err != nil {
				c.Net.At(time.Second, try)
			}
		}
		try()
	}
}

// trouble causes random calls and faults on streams.
func (c *chaos) trouble() {
	for range c.r.IntN(8) {
		c.Net.At(time.Duration(c.r.IntN(3000))*time.Millisecond, func() {
			on := []*sstest.Machine{c.Client, c.Server}[c.r.IntN(2)]
			k := c.r.IntN(max(1, on.Runtime.Len()))
			on.Runtime.Each(func(h *ss.Handle) {
				if k--; k != -1 {
					return
				}
				switch what := c.r.IntN(8); {
				case what < 3:
					h.Pause()
					c.Net.At(time.Duration(c.r.IntN(3000))*time.Millisecond, h.Resume)
				case what == 3:
					h.StartTimeout(time.Duration(1+c.r.IntN(1000)) * time.Millisecond)
				case what == 4:
					on.Runtime.CancelWait()
				case c.gentle:
				case what == 5:
					h.Disconnect()
				case what == 6:
					h.Connect()
				default:
					again := h.Policy().Server && h.Server() == nil
					h.Destroy()
					if again {
						c.Net.At(time.Duration(1+c.r.IntN(2000))*time.Millisecond, c.serveAll)
					}
				}
			})
		})
	}
}

// storm is the run of one seed.
func storm(t testing.TB, seed uint64) (digest uint64) { return stormOn(t, seed, chaosDoc) }

// stormOn is storm with another policy.
func stormOn(t testing.TB, seed uint64, doc string) (digest uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	p := plan{Seed: seed, Net: badLink(r)}
	gentle := seed%3 == 0
	if !gentle {
		worse(r, &p.Net)
	}
	if r.IntN(2) == 0 {
		p.Loop = loop.Config{Bytes: 1 << (10 + r.IntN(9)), Accepts: 1 + r.IntN(4), Events: 1 + r.IntN(8)}
	}
	if !gentle && r.IntN(8) == 0 {
		p.Loop.Memory = int64(64<<10 + r.IntN(256<<10))
	}
	keep := []time.Duration{0, -1, 300 * time.Millisecond}[r.IntN(3)]
	p.Client = func(c *ss.Config) {
		c.KeepWarm, c.WarmMax = keep, 1+r.IntN(3)
		c.TLS.Floor = time.Now() // sim's calendar knows nothing of certificates made today
	}
	c := &chaos{world: newWorld(t, doc, p), r: r, gentle: gentle, sizes: map[uint32]int{}, arrived: map[uint32][]byte{}}
	c.serveAll()
	for range 2 + r.IntN(5) {
		typ := []string{"echo", "push", "get", "post", "get2", "get2", "post2", "post2"}[r.IntN(8)]
		j := &job{c: c, kind: strings.TrimSuffix(typ, "2"), left: 1 + r.IntN(3)}
		if j.kind == "push" {
			j.left = 1
		}
		c.jobs = append(c.jobs, j)
		c.Net.At(time.Duration(r.IntN(500))*time.Millisecond, func() {
			_, err := c.Client.Runtime.Create(ss.Info{StreamType: typ, New: func(*ss.Handle) ss.Stream { return j }})
			if err != nil {
				t.Errorf("create %s: %v", typ, err)
			}
		})
	}
	c.trouble()
	over := false
	c.Net.At(2*time.Minute, func() { over = true })
	idle := func() bool {
		for _, j := range c.jobs {
			if !j.dead {
				return false
			}
		}
		return true
	}
	c.Run("the jobs", func() bool { return over || idle() })
	for _, j := range c.jobs {
		if gentle && (!j.dead || j.done == 0) {
			t.Errorf("%s %d: did not come to its end though nothing broke (done %d, dead %v)\n%s", j.kind, j.name, j.done, j.dead, c.Dump())
		}
	}
	c.ending = true
	c.Patience = 5 * time.Minute // what was committed may have to leave by the byte
	o := c.Net.Options()
	o.Pause, o.CallCost = 0, 0
	c.Net.SetOptions(o)
	return c.Net.Digest()
}

// TestChaos runs random streams with random faults, one network per seed. It checks both state tables
// for every handle, that no acknowledged payload is missing, and that nothing is left at the end.
func TestChaos(t *testing.T) {
	first, n := uint64(0), uint64(1200)
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
					t.Logf("replay: go test ./ss -run 'TestChaos$' -seed=%d", seed)
				}
			})
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			storm(t, seed)
		})
	}
}

// TestChaosReplays: the same seed gives the same run.
func TestChaosReplays(t *testing.T) {
	for _, seed := range []uint64{3, 7, 1001} {
		var digest [2]uint64
		for i := range digest {
			t.Run(fmt.Sprintf("%d, run %d", seed, i), func(t *testing.T) { digest[i] = storm(t, seed) })
		}
		if digest[0] != digest[1] {
			t.Errorf("seed %d: digests of two runs: got %x and %x, want the same", seed, digest[0], digest[1])
		}
	}
}

// TestChaosTLS is TestChaos with TLS on the port of HTTP/2, whose server agrees to HTTP/2 for one half of the seeds and has
// the streams use one connection in turn for the other.
func TestChaosTLS(t *testing.T) {
	p := newPKI(t, "10.0.0.2")
	first, n := uint64(0), uint64(150)
	if testing.Short() {
		n = 12
	}
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	const server = `"server":true,"port":82,"protocol":`
	for seed := first; seed < first+n; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			doc := strings.NewReplacer(
				server+`"h2"`, server+[]string{`"h2"`, `"h1"`}[seed%2]+`,"tls":true,"server_cert":"leaf","server_key":"leaf_key"`,
				`"port":82,`, `"port":82,"tls":true,"tls_trust_store":"lab",`,
				`"http://10.0.0.2:82",`, `"https://10.0.0.2:82","tls_trust_store":"lab",`).Replace(chaosDoc)
			stormOn(t, seed, fmt.Sprintf(`{"certs":[{"ca":%q},{"leaf":%q},{"leaf_key":%q}],"trust_stores":[{"name":"lab","stack":["ca"]}],%s`,
				p.ca, p.leaf, p.key, doc[1:]))
		})
	}
}
