package tls

import (
	stdtls "crypto/tls"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// sink is a transport that accepts all output, and a protocol that discards its input.
type sink struct {
	rolestest.Null
	buf  []byte
	sent int
	rx   int
}

func (k *sink) Room(int) []byte              { return k.buf }
func (k *sink) Commit(n int)                 { k.sent += n }
func (k *sink) WantWrite()                   {}
func (k *sink) Close(roles.CloseMode, error) {}

func (k *sink) Opened(time.Duration)             {}
func (k *sink) Rx(_ time.Duration, b []byte) int { k.rx += len(b); return len(b) }
func (k *sink) RxEnd(time.Duration, int)         {}
func (k *sink) Writable(time.Duration)           {}
func (k *sink) Deadline() time.Duration          { return 0 }
func (k *sink) Timeout(time.Duration)            {}
func (k *sink) Woken(time.Duration)              {}
func (k *sink) Closed(error)                     {}

// taken returns a session with our record layer, on a sink.
func taken(t testing.TB, sh *Shared, suite uint16) (*Session, *sink, *raw) {
	p := newRaw(t, sh, suite)
	k := &sink{buf: make([]byte, roles.MaxRecord)}
	p.s.low, p.s.upper = k, k
	return p.s, k, p
}

// records returns n concatenated records of size bytes.
func records(p *raw, n, size int) (b []byte) {
	for range n {
		b = append(b, p.seal(typeData, make([]byte, size), 0)...)
	}
	return b
}

func TestNothingIsAllocatedPerRecord(t *testing.T) {
	const runs = 50
	for _, c := range suites {
		sh := newShared(t, nil)
		s, k, p := taken(t, sh, c.id)
		const perRead = 3
		in := records(p, perRead*(runs+1), 1000)
		size := len(in) / (runs + 1)
		at := 0
		if n := testing.AllocsPerRun(runs, func() {
			s.Rx(time.Second, in[at:at+size])
			at += size
		}); n != 0 {
			t.Errorf("%s: allocations for %d records read: got %v, want 0", stdtls.CipherSuiteName(c.id), perRead, n)
		}
		if k.rx != 1000*perRead*(runs+1) {
			t.Errorf("%s: bytes read: got %d, want %d", stdtls.CipherSuiteName(c.id), k.rx, 1000*perRead*(runs+1))
		}
		if n := testing.AllocsPerRun(runs, func() {
			s.Writable(time.Second)
			s.Room(1000)
			s.Commit(1000)
			s.Room(roles.MaxRoom)
			s.Commit(roles.MaxRoom)
		}); n != 0 {
			t.Errorf("%s: allocations for two records written: got %v, want 0", stdtls.CipherSuiteName(c.id), n)
		}
	}
}

func TestIdleSessionIsSmall(t *testing.T) {
	// 88 of these are the derived keys of both directions, which make waking several times as fast.
	if n := unsafe.Sizeof(Session{}); n > 320 {
		t.Errorf("a Session measures %d bytes, want at most 320", n)
	}
}

// TestMemoryOfIdleSessions measures the memory of 1,000 sessions, and fails if it is far above the target.
func TestMemoryOfIdleSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a thousand handshakes")
	}
	const n = 1000
	sh := newShared(t, nil)
	v := newServer(t, sh, nil)
	heap := func() int {
		for range 3 {
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	list := make([]*Session, 0, n)
	k := &sink{buf: make([]byte, roles.MaxRecord)}
	seal := make([][]byte, 0, n)
	connect := func() {
		p := newRawOn(t, v)
		p.s.low, p.s.upper = k, k
		list = append(list, p.s)
		seal = append(seal, p.seal(typeData, []byte("x"), 0))
	}
	connect()
	before := heap()
	for len(list) < n {
		connect()
	}
	asleep := heap() - before
	for i, s := range list {
		s.Rx(time.Second, seal[i])
		s.Room(10)
		s.Commit(10)
		if s.Asleep() {
			t.Fatal("the session sleeps after a record in each direction")
		}
	}
	awake := heap() - before
	for range 2 * n / quietSteps {
		sh.Timeout(time.Minute)
	}
	again := heap() - before
	const sealed = 48 // of each seal
	t.Logf("bytes per session: %d after the handshake, %d awake, %d asleep again; Session itself %d",
		asleep/n-sealed, awake/n-sealed, again/n-sealed, unsafe.Sizeof(Session{}))
	if got := again/n - sealed; got > 400 {
		t.Errorf("an idle session holds %d bytes, want at most 400", got)
	}
	for _, s := range list {
		s.Closed(nil)
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, c := range suites {
		for _, size := range []int{1 << 10, 16 << 10} {
			name := fmt.Sprintf("%s/%d", stdtls.CipherSuiteName(c.id), size)
			b.Run("seal/"+name, func(b *testing.B) {
				s, _, _ := taken(b, newShared(b, nil), c.id)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					s.Room(size)
					s.Commit(size)
				}
			})
			b.Run("open/"+name, func(b *testing.B) {
				s, _, p := taken(b, newShared(b, nil), c.id)
				rec := p.seal(typeData, make([]byte, size), 0)
				buf := make([]byte, len(rec))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					copy(buf, rec)
					s.in.seq = 0
					s.Rx(time.Second, buf)
				}
			})
		}
	}
}

func BenchmarkWake(b *testing.B) {
	for _, c := range suites {
		b.Run(stdtls.CipherSuiteName(c.id), func(b *testing.B) {
			sh := newShared(b, nil)
			s, _, p := taken(b, sh, c.id)
			rec := p.seal(typeData, []byte("x"), 0)
			buf := make([]byte, len(rec))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, rec)
				s.in.seq = 0
				s.Rx(time.Second, buf)
				sh.Timeout(time.Minute)
			}
		})
	}
}

// BenchmarkHandshake measures a full handshake including both ends: a session with a crypto/tls client, and for
// comparison crypto/tls with the same client.
func BenchmarkHandshake(b *testing.B) {
	c := &stdtls.Config{RootCAs: testCA().pool(), ServerName: "example.test", Time: wallToday}
	b.Run("session", func(b *testing.B) {
		v := newServer(b, newShared(b, nil), nil)
		k := rolestest.New()
		b.ReportAllocs()
		for b.Loop() {
			var s Session
			m := &mate{}
			m.Conn = stdtls.Client(m.wire(), c)
			*k = rolestest.Lower{Out: k.Out[:0], Clock: time.Second}
			r := &rig{t: b, low: k, s: &s, m: m, p: &protocol{t: b, s: &s}}
			s.InitServer(v, k)
			s.SetUpper(r.p)
			k.Open(&s)
			r.handshake()
			k.Break(nil)
		}
	})
	b.Run("crypto_tls", func(b *testing.B) {
		conf := &stdtls.Config{Certificates: []stdtls.Certificate{example()}, Time: wallToday}
		b.ReportAllocs()
		for b.Loop() {
			x, y := &mate{}, &mate{}
			x.Conn, y.Conn = stdtls.Client(x.wire(), c), stdtls.Server(y.wire(), conf)
			var errs [2]error
			nextX, stopX := iter.Pull(func(yield func(struct{}) bool) { x.yield = yield; errs[0] = x.Handshake() })
			nextY, stopY := iter.Pull(func(yield func(struct{}) bool) { y.yield = yield; errs[1] = y.Handshake() })
			for again := true; again; {
				_, more := nextX()
				y.in, x.out = append(y.in, x.out...), nil
				_, again = nextY()
				x.in, y.out = append(x.in, y.out...), nil
				again = again || more
			}
			stopX()
			stopY()
			if errs != [2]error{} {
				b.Fatal(errs)
			}
		}
	})
}

// BenchmarkWakeAmongIdle wakes both directions of each of 16,000 sessions in turn, with the garbage collector
// running: the cost of BenchmarkWake with cold caches.
func BenchmarkWakeAmongIdle(b *testing.B) {
	const n = 16_000
	sh := newShared(b, nil)
	s, k, p := taken(b, sh, stdtls.TLS_AES_128_GCM_SHA256)
	rec := p.seal(typeData, []byte("x"), 0)
	sessions := make([]*Session, n)
	ballast := make([][]byte, n) // the other memory of a connection
	for i := range sessions {
		c := *s
		c.low, c.upper = k, k
		sessions[i], ballast[i] = &c, make([]byte, 700)
	}
	for _, sleeps := range []bool{true, false} {
		b.Run(fmt.Sprintf("sleeps=%v", sleeps), func(b *testing.B) {
			buf := make([]byte, len(rec))
			b.ReportAllocs()
			for i := range b.N {
				c := sessions[i*7919%n]
				copy(buf, rec)
				c.in.seq = 0
				c.Rx(time.Second, buf)
				c.Room(10)
				c.Commit(10)
				if sleeps {
					sh.Timeout(time.Minute)
				}
			}
		})
	}
	runtime.KeepAlive(ballast)
}
