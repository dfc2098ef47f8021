package tls

import (
	"bytes"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/roles"
)

func TestSuites(t *testing.T) {
	for _, c := range suites {
		t.Run(stdtls.CipherSuiteName(c.id), func(t *testing.T) {
			onlySuite(t, c.id)
			sh := newShared(t, nil)
			r := server(t, newServer(t, sh, nil), &stdtls.Config{})
			r.handshake()
			if st := r.s.State(); st.Suite != c.id || !st.TakenOver {
				t.Fatalf("state: got %+v, want suite %x, taken over", st, c.id)
			}
			r.echo(100_000)
		})
	}
}

func data(text string) message { return message{typeData, []byte(text)} }

// TestRecordsAreHandled sends one allowed or forbidden message of a client and checks the result.
func TestRecordsAreHandled(t *testing.T) {
	update := []byte{24, 0, 0, 1, 0}
	for _, test := range []struct {
		name  string
		bytes func(p *raw) []byte
		alert Alert  // 255: none
		text  string // plaintext passed up
	}{
		{"data", func(p *raw) []byte { return p.seal(typeData, []byte("x"), 0) }, 255, "x"},
		{"padded data", func(p *raw) []byte { return p.seal(typeData, []byte("x"), 300) }, 255, "x"},
		{"a full record", func(p *raw) []byte { return p.seal(typeData, make([]byte, maxPlain), 0) }, 255, string(make([]byte, maxPlain))},
		{"a full record, maximal padding", func(p *raw) []byte { return p.seal(typeData, []byte("x"), maxPlain-1) }, 255, "x"},
		{"plaintext a byte too long", func(p *raw) []byte { return p.seal(typeData, make([]byte, maxPlain+1), 0) }, AlertRecordOverflow, ""},
		{"padding a byte too long", func(p *raw) []byte { return p.seal(typeData, []byte("x"), maxPlain) }, AlertRecordOverflow, ""},
		{"a header with a length above the limit", func(*raw) []byte { return []byte{23, 3, 3, 0x41, 0x01} }, AlertRecordOverflow, ""},
		{"a header with the maximal length", func(*raw) []byte { return append([]byte{23, 3, 3, 0x41, 0x00}, make([]byte, 0x4100)...) }, AlertBadRecordMAC, ""},
		{"only padding", func(p *raw) []byte { return p.sealInner(make([]byte, 40)) }, AlertUnexpectedMessage, ""},
		{"an empty inner record", func(p *raw) []byte { return p.sealInner(nil) }, AlertUnexpectedMessage, ""},
		{"too short for a tag", func(*raw) []byte { return []byte{23, 3, 3, 0, 3, 1, 2, 3} }, AlertBadRecordMAC, ""},
		{"no body", func(*raw) []byte { return []byte{23, 3, 3, 0, 0} }, AlertBadRecordMAC, ""},
		{"a flipped bit in the body", func(p *raw) []byte { b := p.seal(typeData, []byte("hello"), 0); b[7] ^= 1; return b }, AlertBadRecordMAC, ""},
		{"a flipped bit in the tag", func(p *raw) []byte { b := p.seal(typeData, []byte("hello"), 0); b[len(b)-1] ^= 1; return b }, AlertBadRecordMAC, ""},
		{"a flipped bit in the version", func(p *raw) []byte { b := p.seal(typeData, []byte("hello"), 0); b[2] ^= 1; return b }, AlertBadRecordMAC, ""},
		{"a record twice", func(p *raw) []byte { b := p.seal(typeData, []byte("x"), 0); return append(b, b...) }, AlertBadRecordMAC, "x"},
		{"a missing record", func(p *raw) []byte { p.out.seq++; return p.seal(typeData, []byte("x"), 0) }, AlertBadRecordMAC, ""},
		{"an alert without encryption", func(*raw) []byte { return []byte{21, 3, 3, 0, 2, 1, 0} }, AlertUnexpectedMessage, ""},
		{"change_cipher_spec", func(*raw) []byte { return []byte{20, 3, 3, 0, 1, 1} }, AlertUnexpectedMessage, ""},
		{"a handshake without encryption", func(*raw) []byte { return []byte{22, 3, 3, 0, 4, 1, 0, 0, 0} }, AlertUnexpectedMessage, ""},
		{"an unknown outer type", func(*raw) []byte { return []byte{99, 3, 3, 0, 0} }, AlertUnexpectedMessage, ""},
		{"plain HTTP", func(*raw) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, AlertUnexpectedMessage, ""},
		{"an unknown inner type", func(p *raw) []byte { return p.seal(99, []byte("x"), 0) }, AlertUnexpectedMessage, ""},
		{"an inner change_cipher_spec", func(p *raw) []byte { return p.seal(typeChangeCipherSpec, []byte{1}, 0) }, AlertUnexpectedMessage, ""},
		{"an empty record or two", func(p *raw) []byte {
			return cat(p.seal(typeData, nil, 0), p.seal(typeData, nil, 9), p.seal(typeData, []byte("x"), 0))
		}, 255, "x"},
		{"a flood of empty records", func(p *raw) (b []byte) {
			for range emptyRecordsMax + 1 {
				b = append(b, p.seal(typeData, nil, 0)...)
			}
			return b
		}, AlertUnexpectedMessage, ""},
		{"user_canceled", func(p *raw) []byte {
			return cat(p.seal(typeAlert, []byte{1, 90}, 0), p.seal(typeData, []byte("x"), 0))
		}, 255, "x"},
		{"a flood of user_canceled", func(p *raw) (b []byte) {
			for range emptyRecordsMax + 1 {
				b = append(b, p.seal(typeAlert, []byte{1, 90}, 0)...)
			}
			return b
		}, AlertUnexpectedMessage, ""},
		{"an empty alert", func(p *raw) []byte { return p.seal(typeAlert, nil, 0) }, AlertUnexpectedMessage, ""},
		{"half an alert", func(p *raw) []byte { return p.seal(typeAlert, []byte{2}, 0) }, AlertDecodeError, ""},
		{"two alerts in a record", func(p *raw) []byte { return p.seal(typeAlert, []byte{1, 0, 1, 0}, 0) }, AlertDecodeError, ""},
		{"an empty handshake record", func(p *raw) []byte { return p.seal(typeHandshake, nil, 0) }, AlertUnexpectedMessage, ""},
		{"a ClientHello", func(p *raw) []byte { return p.seal(typeHandshake, []byte{1, 0, 0, 1, 0}, 0) }, AlertUnexpectedMessage, ""},
		{"a ticket", func(p *raw) []byte { return p.seal(typeHandshake, []byte{4, 0, 0, 1, 0}, 0) }, AlertUnexpectedMessage, ""},
		{"a Certificate", func(p *raw) []byte { return p.seal(typeHandshake, []byte{11, 0, 0, 1, 0}, 0) }, AlertUnexpectedMessage, ""},
		{"EndOfEarlyData", func(p *raw) []byte { return p.seal(typeHandshake, []byte{5, 0, 0, 0}, 0) }, AlertUnexpectedMessage, ""},
		{"a long KeyUpdate", func(p *raw) []byte { return p.seal(typeHandshake, []byte{24, 0, 0, 2, 0, 0}, 0) }, AlertDecodeError, ""},
		{"an empty KeyUpdate", func(p *raw) []byte { return p.seal(typeHandshake, []byte{24, 0, 0, 0}, 0) }, AlertDecodeError, ""},
		{"a huge KeyUpdate", func(p *raw) []byte { return p.seal(typeHandshake, []byte{24, 1}, 0) }, AlertDecodeError, ""},
		{"an unknown request", func(p *raw) []byte { return p.seal(typeHandshake, []byte{24, 0, 0, 1, 2}, 0) }, AlertIllegalParameter, ""},
		{"a byte after a KeyUpdate", func(p *raw) []byte { return p.seal(typeHandshake, append(bytes.Clone(update), 24), 0) }, AlertUnexpectedMessage, ""},
		{"a KeyUpdate", func(p *raw) []byte {
			b := p.seal(typeHandshake, update, 0)
			p.out = p.next(p.out)
			return cat(b, p.seal(typeData, []byte("x"), 0))
		}, 255, "x"},
		{"a KeyUpdate, and the old key", func(p *raw) []byte {
			return cat(p.seal(typeHandshake, update, 0), p.seal(typeData, []byte("x"), 0))
		}, AlertBadRecordMAC, ""},
		{"a KeyUpdate in five records", func(p *raw) (b []byte) {
			for i := range update {
				b = append(b, p.seal(typeHandshake, update[i:i+1], 0)...)
			}
			p.out = p.next(p.out)
			return append(b, p.seal(typeData, []byte("x"), 0)...)
		}, 255, "x"},
		{"data inside a KeyUpdate", func(p *raw) []byte {
			return cat(p.seal(typeHandshake, update[:2], 0), p.seal(typeData, []byte("x"), 0))
		}, AlertUnexpectedMessage, ""},
		{"a flood of KeyUpdates", func(p *raw) (b []byte) {
			for range emptyRecordsMax + 1 {
				b = append(b, p.seal(typeHandshake, update, 0)...)
				p.out = p.next(p.out)
			}
			return b
		}, AlertUnexpectedMessage, ""},
		{"a flood of KeyUpdates with data between", func(p *raw) (b []byte) {
			for range 129 {
				b = append(b, p.seal(typeHandshake, update, 0)...)
				p.out = p.next(p.out)
				b = append(b, p.seal(typeData, nil, 0)...)
				b = append(b, p.seal(typeData, []byte("x"), 0)...)
			}
			return b
		}, AlertUnexpectedMessage, string(bytes.Repeat([]byte("x"), 128))},
	} {
		for _, c := range suites {
			t.Run(fmt.Sprintf("%s/%s", test.name, stdtls.CipherSuiteName(c.id)), func(t *testing.T) {
				sh := newShared(t, nil)
				p := newRaw(t, sh, c.id)
				p.low.Feed(test.bytes(p))
				wantBytes(t, "we got", p.p.got, []byte(test.text))
				if test.alert == 255 {
					if p.p.closed > 0 {
						t.Fatalf("closed with %v, want open", p.p.cause)
					}
					p.p.send([]byte("fine"))
					if got := fmt.Sprint(p.received()); got != fmt.Sprint([]message{data("fine")}) {
						t.Errorf("received %s, want fine", got)
					}
					return
				}
				if got, want := fmt.Sprint(p.received()), fmt.Sprint([]message{{typeAlert, []byte{2, byte(test.alert)}}}); got != want {
					t.Errorf("received %s, want %s, alert %s", got, want, test.alert)
				}
				var e *ProtocolError
				if !errors.As(p.p.cause, &e) || e.Alert != test.alert {
					t.Errorf("closed with %v, want alert %s", p.p.cause, test.alert)
				}
				if sh.Counters.AlertsOut != 1 {
					t.Errorf("alerts counted: got %d, want 1", sh.Counters.AlertsOut)
				}
			})
		}
	}
}

func cat(list ...[]byte) []byte { return bytes.Join(list, nil) }

func TestPeersAlertsEndTheSession(t *testing.T) {
	for _, a := range []Alert{10, 20, 40, 80, 255} {
		sh := newShared(t, nil)
		p := newRaw(t, sh, stdtls.TLS_AES_128_GCM_SHA256)
		p.low.Feed(cat(p.seal(typeAlert, []byte{2, byte(a)}, 0), p.seal(typeData, []byte("x"), 0)))
		var e *AlertError
		if !errors.As(p.p.cause, &e) || e.Alert != a {
			t.Errorf("alert %v: closed with %v, want AlertError", a, p.p.cause)
		}
		if m := p.received(); len(m) > 0 || len(p.p.got) > 0 {
			t.Errorf("alert %v: we sent %v and received %q, want nothing", a, m, p.p.got)
		}
	}
}

func TestBytesAfterCloseNotifyAreIgnored(t *testing.T) {
	sh := newShared(t, nil)
	p := newRaw(t, sh, stdtls.TLS_AES_128_GCM_SHA256)
	left := false
	p.p.leave = func(b []byte) int {
		if !left {
			return 0
		}
		return len(b)
	}
	p.low.Feed(cat(p.seal(typeData, []byte("kept"), 0), p.seal(typeAlert, []byte{1, 0}, 0), p.seal(typeData, []byte("x"), 0), []byte("garbage")))
	p.low.Feed([]byte("more garbage"))
	if got := fmt.Sprint(p.p.log); got != "[opened end 4]" {
		t.Errorf("calls: got %s, want the end with 4 bytes unused", got)
	}
	left = true
	p.low.Feed([]byte("yet more"))
	p.want([]byte("kept"))
	if len(p.low.Unused()) > 0 {
		t.Errorf("unused: got %q, want nothing", p.low.Unused())
	}
	// Our direction is still open.
	p.p.send([]byte("answer"))
	if got := fmt.Sprint(p.received()); got != fmt.Sprint([]message{data("answer")}) {
		t.Errorf("received %s, want the answer", got)
	}
	p.low.End()
	if p.p.closed > 0 {
		t.Errorf("the transport's end after close_notify closed with %v", p.p.cause)
	}
	p.s.CloseWrite()
	if got, want := fmt.Sprint(p.received()), fmt.Sprint([]message{{typeAlert, []byte{1, 0}}}); got != want || !p.low.Shut {
		t.Errorf("received %s, shut %v; want %s, shut", got, p.low.Shut, want)
	}
	if r := p.s.Room(1); r != nil {
		t.Errorf("room after CloseWrite: got %d bytes, want none", len(r))
	}
}

func TestKeyUpdatesAreAnsweredOnce(t *testing.T) {
	sh := newShared(t, nil)
	p := newRaw(t, sh, stdtls.TLS_AES_256_GCM_SHA384)
	var b []byte
	for range 3 {
		b = append(b, p.seal(typeHandshake, []byte{24, 0, 0, 1, 1}, 0)...)
		p.out = p.next(p.out)
	}
	p.low.Feed(append(b, p.seal(typeData, []byte("x"), 0)...))
	p.want([]byte("x"))
	if m := p.received(); len(m) != 1 || m[0].typ != typeHandshake {
		t.Errorf("received %v, want one KeyUpdate", m)
	}
	p.p.send([]byte("y"))
	if got := fmt.Sprint(p.received()); got != fmt.Sprint([]message{data("y")}) {
		t.Errorf("received %s, want y", got)
	}
	// Without space the answer waits, and no data is sent before it.
	p.low.Refuse = true
	b = p.seal(typeHandshake, []byte{24, 0, 0, 1, 1}, 0)
	p.out = p.next(p.out)
	p.low.Feed(b)
	p.p.send([]byte("z"))
	p.low.Service()
	p.low.Refuse = false
	if m := p.received(); len(m) != 2 || m[0].typ != typeHandshake || m[1].String() != data("z").String() {
		t.Errorf("received %v, want a KeyUpdate and z", m)
	}
}

func TestOwnKeysAreReplacedInTime(t *testing.T) {
	for _, c := range suites {
		onlySuite(t, c.id)
		sh := newShared(t, nil)
		sh.limit = 3
		r := server(t, newServer(t, sh, nil), &stdtls.Config{})
		r.handshake()
		r.p.chunk = roles.MaxRoom
		r.echo(20 * roles.MaxRoom)
		if n := sh.Counters.KeyUpdatesOut; n < 5 || n > 7 {
			t.Errorf("KeyUpdates over 20 records at a limit of 3: got %d, want about 6", n)
		}
	}
}

func TestSecretsAreWiped(t *testing.T) {
	sh := newShared(t, nil)
	p := newRaw(t, sh, stdtls.TLS_AES_256_GCM_SHA384)
	old := p.s.in.secret
	b := p.seal(typeHandshake, []byte{24, 0, 0, 1, 0}, 0)
	p.out = p.next(p.out)
	p.low.Feed(b)
	if p.s.in.secret == old || !bytes.Equal(p.s.in.secret[:48], p.out.secret) {
		t.Error("the old secret remains after a KeyUpdate")
	}
	p.low.Break(nil)
	if p.s.in.secret != [maxSecret]byte{} || p.s.out.secret != [maxSecret]byte{} || p.s.aw != nil {
		t.Error("secrets remain after Closed")
	}
}

// Random schedules in both directions against crypto/tls, with our KeyUpdates and pieces of any size.
func TestRandomSchedules(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		rnd := mrand.New(mrand.NewPCG(uint64(seed), 7))
		onlySuite(t, suites[seed%3].id)
		sh := newShared(t, nil)
		sh.limit = 1 + uint64(rnd.IntN(40))
		c := &stdtls.Config{}
		if seed%5 == 0 {
			c.MaxVersion = stdtls.VersionTLS12
		}
		if seed%2 == 0 {
			c.ClientSessionCache = stdtls.NewLRUClientSessionCache(1)
		}
		var r *rig
		if seed%4 == 3 {
			r = client(t, newClient(t, sh, nil), c)
		} else {
			r = server(t, newServer(t, sh, nil), c)
		}
		r.split = rnd
		r.handshake()
		r.p.leave = func(b []byte) int { return rnd.IntN(len(b) + 1) }
		var said []byte
		for range 30 {
			b := pattern(1 + rnd.IntN(1+rnd.IntN(40_000)))
			if rnd.IntN(2) == 0 {
				said = append(said, b...)
				r.say(b)
			} else {
				r.p.chunk = 1 + rnd.IntN(20_000)
				r.p.send(b)
				r.low.Refuse = rnd.IntN(4) == 0
				r.low.Service()
				r.low.Refuse = false
				wantBytes(t, fmt.Sprintf("seed %d: mate got", seed), r.readMate(len(b)), b)
			}
			r.low.Sleep(time.Duration(rnd.IntN(4)) * time.Second)
		}
		r.p.leave = nil
		if err := r.do(r.m.CloseWrite); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		r.low.Service()
		wantBytes(t, fmt.Sprintf("seed %d: we got", seed), r.p.got, said)
		if !r.p.ended || r.p.closed > 0 {
			t.Fatalf("seed %d: calls %q, want an end", seed, r.p.log)
		}
		r.end()
	}
}

// Random schedules against a peer that sends KeyUpdates, padding, empty records and several records at once.
func TestRandomRecords(t *testing.T) {
	for seed := range 60 {
		rnd := mrand.New(mrand.NewPCG(uint64(seed), 8))
		sh := newShared(t, nil)
		sh.limit = 1 + uint64(rnd.IntN(10))
		p := newRaw(t, sh, suites[seed%3].id)
		var said, heard, want []byte
		var wire []byte
		updates := 0
		for range 200 {
			switch k := rnd.IntN(12); {
			case k == 0 && updates < 100:
				updates++
				wire = append(wire, p.seal(typeHandshake, []byte{24, 0, 0, 1, byte(rnd.IntN(2))}, rnd.IntN(20))...)
				p.out = p.next(p.out)
			case k == 1:
				wire = append(wire, p.seal(typeData, nil, rnd.IntN(20))...)
			case k < 7:
				b := pattern(1 + rnd.IntN(1+rnd.IntN(maxPlain)))
				said = append(said, b...)
				wire = append(wire, p.seal(typeData, b, rnd.IntN(1+maxPlain-len(b)))...)
			case k < 9:
				b := pattern(1 + rnd.IntN(1+rnd.IntN(3*maxPlain)))
				want = append(want, b...)
				p.p.chunk = 1 + rnd.IntN(20_000)
				p.p.send(b)
			default:
				n := rnd.IntN(len(wire) + 1)
				p.p.leave = func(b []byte) int { return rnd.IntN(len(b) + 1) }
				p.low.Feed(wire[:n])
				wire = wire[n:]
			}
			for _, m := range p.received() {
				if m.typ == typeData {
					heard = append(heard, m.content...)
				}
			}
		}
		p.p.leave = nil
		p.low.Feed(wire)
		for _, m := range p.received() {
			if m.typ == typeData {
				heard = append(heard, m.content...)
			}
		}
		wantBytes(t, fmt.Sprintf("seed %d: we got", seed), p.p.got, said)
		wantBytes(t, fmt.Sprintf("seed %d: peer received", seed), heard, want)
		if p.p.closed > 0 {
			t.Fatalf("seed %d: closed with %v", seed, p.p.cause)
		}
		p.end()
	}
}
