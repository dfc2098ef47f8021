package tls

import (
	"bytes"
	"errors"
	"testing"
	"testing/cryptotest"

	"github.com/millrace/millrace/roles/rolestest"
)

// keyed returns a session with our record layer and known keys, and its peer.
func keyed(t testing.TB, sh *Shared, suite int) *raw {
	e := &endpoint{sh: sh}
	p := &raw{rig: newRig(t), suite: suites[suite].id}
	p.s.endpoint, p.s.low, p.s.suite = e, p.low, uint8(suite)
	p.s.upper = p.p
	p.s.flags = established | ours
	n := suites[suite].secret
	for i := range n {
		p.s.in.secret[i], p.s.out.secret[i] = byte(i), byte(2*i)
	}
	for _, d := range []*direction{&p.s.in, &p.s.out} {
		d.keys = suites[suite].derive(d.secret[:])
	}
	p.out, p.in = p.keys(bytes.Clone(p.s.in.secret[:n])), p.keys(bytes.Clone(p.s.out.secret[:n]))
	p.s.hs = &handshake{s: p.s}
	p.low.Open(p.s)
	p.s.hs = nil
	p.low.Feed(nil)
	return p
}

// FuzzRecords makes a peer with the right keys send the steps of the input, encrypted correctly or not: a step is one
// byte for the action, two for the length, and content. For any input the session must not panic, must not pass up a
// byte that was not sent as data, and must end with at most one alert.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("\x00\x00\x05hello"))
	f.Add([]byte("\x00\x00\x01x\x01\x00\x05\x18\x00\x00\x01\x01\x05\x00\x00\x00\x01y"))
	f.Add([]byte("\x02\x00\x02\x01\x00\x00\x00\x01x"))
	f.Add([]byte("\x04\x00\x05\x17\x03\x03\x00\x10"))
	f.Add([]byte("\x01\x00\x01\x18\x01\x00\x04\x00\x00\x01\x00\x05\x00\x00\x00\x00\x03abc"))
	f.Add([]byte("\x03\x00\x02\x14\x01\x06\x00\x09\x00\x00\x01z"))
	f.Add(bytes.Repeat([]byte("\x00\x00\x00"), 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		sh := newShared(t, nil)
		suite := 0
		if len(in) > 0 {
			suite = int(in[0]>>4) % len(suites)
		}
		p := keyed(t, sh, suite)
		var said, wire []byte
		honest := true // no step so far ends the session
		leave, empty := 0, 0
		p.p.leave = func(b []byte) int { leave = (leave*5 + 3) % 11; return max(0, len(b)-leave) }
		for len(in) >= 3 {
			op, n := in[0]&15, int(in[1])<<8|int(in[2])
			in = in[3:]
			content := in[:min(n, len(in))]
			in = in[len(content):]
			switch op {
			case 0:
				if empty++; len(content) > 0 {
					empty = 0
				}
				honest = honest && empty <= emptyRecordsMax
				if honest && len(content) <= maxPlain {
					said = append(said, content...)
				}
				honest = honest && len(content) <= maxPlain
				wire = append(wire, p.seal(typeData, content[:min(len(content), maxPlain+1)], int(op))...)
			case 1:
				honest = false
				wire = append(wire, p.seal(typeHandshake, content[:min(len(content), maxPlain)], 0)...)
			case 2:
				honest = false
				wire = append(wire, p.seal(typeAlert, content[:min(len(content), maxPlain)], 0)...)
			case 3:
				honest = false
				wire = append(wire, p.sealInner(content[:min(len(content), maxPlain)])...)
			case 4:
				honest = honest && len(content) == 0
				wire = append(wire, content...)
			case 5:
				p.out = p.next(p.out)
				honest = false
			case 6:
				p.low.Feed(wire)
				wire = nil
			case 7:
				p.p.send(content)
			}
		}
		p.p.leave = nil
		p.low.Feed(wire)
		p.low.End()
		if honest && !bytes.Equal(p.p.got, said) || !honest && !bytes.HasPrefix(p.p.got, said[:min(len(said), len(p.p.got))]) {
			t.Errorf("we got %q, the peer sent %q", p.p.got, said)
		}
		alerts := 0
		for _, m := range p.received() {
			if m.typ == typeAlert {
				alerts++
			}
		}
		if alerts > 1 {
			t.Errorf("alerts: got %d, want one at the most", alerts)
		}
		if p.p.closed == 0 && !p.p.ended {
			t.Errorf("no RxEnd or Closed: %q", p.p.log)
		}
		p.end()
		if used := sh.places.flight; used != 0 {
			t.Errorf("in flight at the end: got %d", used)
		}
	})
}

// FuzzHello passes any bytes to a server instead of a handshake.
func FuzzHello(f *testing.F) {
	hello := clientHello(f)
	f.Add(hello)
	f.Add(hello[:100])
	f.Add(cat(hello, hello))
	f.Add(cat(hello, []byte{20, 3, 3, 0, 1, 1}, []byte{23, 3, 3, 0, 20}, make([]byte, 20)))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	sh := newShared(f, nil)
	v := newServer(f, sh, nil)
	f.Fuzz(func(t *testing.T, in []byte) {
		cryptotest.SetGlobalRandom(t, 1) // otherwise random numbers look like new coverage
		low := rolestest.New()
		s := new(Session)
		p := &protocol{t: t, s: s}
		s.InitServer(v, low)
		s.SetUpper(p)
		low.Open(s)
		for len(in) > 0 {
			n := min(len(in), 1+int(in[0]))
			low.Feed(in[:n])
			in = in[n:]
		}
		low.End()
		if !low.Over || p.closed != 1 || p.opened {
			t.Errorf("over %v, calls %q; want only closed", low.Over, p.log)
		}
		if sh.InFlight() != 0 {
			t.Errorf("in flight at the end: got %d, want 0", sh.InFlight())
		}
		if !errors.Is(p.cause, ErrTruncated) && p.cause == nil {
			t.Error("closed without a cause")
		}
	})
}
