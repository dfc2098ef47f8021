package tls

import (
	stdtls "crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
)

// versions are the TLS versions of the tests. crypto/tls selects the TLS 1.3 suite by the hardware of both ends and
// has no setting for it; TestSuites covers all suites.
var versions = []struct {
	name string
	v    uint16
}{{"1.3", stdtls.VersionTLS13}, {"1.2", stdtls.VersionTLS12}}

func TestServerCarriesBytes(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			for _, n := range []int{1, 100, 5000, roles.MaxRoom, 100_000} {
				r.echo(n)
			}
			st := r.s.State()
			if st.Version != v.v || st.TakenOver != (v.v == stdtls.VersionTLS13) || st.Resumed {
				t.Errorf("state: got %+v, want version %s, taken over for 1.3", st, v.name)
			}
			if err := r.do(r.m.CloseWrite); err != nil {
				t.Fatal(err)
			}
			r.s.Close(roles.Graceful, nil)
			if b, err := r.readMateEnd(); len(b) > 0 || err != nil {
				t.Errorf("at the end the mate got %q, %v; want close_notify", b, err)
			}
			r.wantClosed(nil)
			if !r.p.ended {
				t.Errorf("RxEnd was not called: %q", r.p.log)
			}
		})
	}
}

func TestClientCarriesBytes(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := client(t, newClient(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			for _, n := range []int{1, 100, 5000, roles.MaxRoom, 100_000} {
				r.echo(n)
			}
			st := r.s.State()
			if st.Version != v.v || st.TakenOver || len(st.Chain) != 1 {
				t.Errorf("state: got %+v, want version %s, a chain of one", st, v.name)
			}
			r.s.Close(roles.Graceful, nil)
			if b, err := r.readMateEnd(); len(b) > 0 || err != nil {
				t.Errorf("at the end the mate got %q, %v; want close_notify", b, err)
			}
			r.wantClosed(nil)
		})
	}
}

func TestTruncationIsAnError(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			r.say([]byte("half a mess"))
			r.low.End()
			r.wantClosed(ErrTruncated)
			if r.p.ended {
				t.Errorf("a truncated connection was reported as an orderly end: %q", r.p.log)
			}
			if sh.Counters.Truncated != 1 {
				t.Errorf("truncated: got %d, want 1", sh.Counters.Truncated)
			}
		})
	}
}

func TestCommitsOfOneCallShareARecord(t *testing.T) {
	sh := newShared(t, nil)
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.handshake()
	had := sh.Counters.RecordsOut
	r.p.chunk = 10
	r.p.send(pattern(100))
	r.readMate(100)
	if n := sh.Counters.RecordsOut - had; n != 1 {
		t.Errorf("records for ten commits in one call: got %d, want 1", n)
	}
	r.p.chunk = 0
	had = sh.Counters.RecordsOut
	r.p.send(pattern(3*roles.MaxRoom + 1))
	r.readMate(3*roles.MaxRoom + 1)
	if n := sh.Counters.RecordsOut - had; n != 4 {
		t.Errorf("records for 3 times 16 KiB and a byte: got %d, want 4", n)
	}
}

func TestRoomHoldsAFullRecord(t *testing.T) {
	sh := newShared(t, nil)
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.handshake()
	if n := len(r.s.Room(roles.MaxRoom)); n != maxPlain {
		t.Errorf("room for a full record: got %d, want %d", n, maxPlain)
	}
}

func TestUnusedBytesAreJoinedWithTheNext(t *testing.T) {
	sh := newShared(t, nil)
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.handshake()
	// A unit has seven bytes; the mate sends records of three.
	r.p.leave = func(b []byte) int { return len(b) / 7 * 7 }
	want := pattern(7 * 30)
	if err := r.do(func() error {
		for i := 0; i < len(want); i += 3 {
			if _, err := r.m.Write(want[i : i+3]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.want(want)
}

// A peer may send single bytes, and a unit may be long: the work per byte must not grow with the unit.
func TestBytesThatComeOneByOne(t *testing.T) {
	const n = 3000
	for _, left := range []int{n, n / 2, 100, 1} {
		sh := newShared(t, nil)
		p := newRaw(t, sh, stdtls.TLS_AES_128_GCM_SHA256)
		p.p.leave = func(b []byte) int {
			if len(b) < left {
				return 0
			}
			return left
		}
		want := pattern(n)
		var wire []byte
		for i := range want {
			wire = append(wire, p.seal(typeData, want[i:i+1], i%3)...)
		}
		for i := 0; i < len(wire); i += 1000 {
			p.low.Feed(wire[i:min(i+1000, len(wire))])
			if held := len(p.low.Unused()); held > 2*left+1100 {
				t.Fatalf("units of %d: the transport buffers %d bytes, want at most twice the unit and one piece", left, held)
			}
		}
		p.want(want)
	}
}

func TestPauseHoldsRecords(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{MaxVersion: v.v})
			r.handshake()
			r.p.leave = func(b []byte) int { r.s.Pause(); return 1 }
			r.say([]byte("abc"))
			r.say([]byte("def"))
			if err := r.do(r.m.CloseWrite); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if r.p.ended {
					t.Fatalf("the end was reported before %q", r.p.got)
				}
				r.s.Resume()
				r.low.Service()
			}
			r.s.Resume()
			r.low.Service()
			r.want([]byte("abcdef"))
			if !r.p.ended {
				r.s.Resume()
				r.low.Service()
			}
			if !r.p.ended {
				t.Errorf("the end was not reported: %q", r.p.log)
			}
		})
	}
}

func TestReplaceHandsOver(t *testing.T) {
	sh := newShared(t, nil)
	r := server(t, newServer(t, sh, nil), &stdtls.Config{})
	r.handshake()
	second := &protocol{t: t, s: r.s}
	r.p.leave = func(b []byte) int { r.s.Replace(second); return 3 }
	r.say([]byte("onetwo"))
	r.want([]byte("one"))
	wantBytes(t, "the second protocol got", second.got, []byte("two"))
	r.say([]byte("three"))
	wantBytes(t, "the second protocol got", second.got, []byte("twothree"))
	r.low.Break(io.EOF)
	if r.p.closed != 0 || second.closed != 1 {
		t.Errorf("closed: the first %d times, the second %d; want 0 and 1", r.p.closed, second.closed)
	}
}

// TestHangUpIsPassedOn: a paused protocol gets HungUp although records wait.
func TestHangUpIsPassedOn(t *testing.T) {
	r := server(t, newServer(t, newShared(t, nil), nil), &stdtls.Config{})
	r.handshake()
	r.s.Pause()
	r.low.End()
	if got := strings.Count(strings.Join(r.p.log, " "), "hung up"); got != 1 {
		t.Errorf("HungUp: got %d calls, want 1: %q", got, r.p.log)
	}
	r.s.Resume()
	r.low.Service()
	r.wantClosed(ErrTruncated)
}
