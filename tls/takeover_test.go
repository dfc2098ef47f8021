package tls

import (
	"bytes"
	stdtls "crypto/tls"
	"errors"
	"testing"
)

func TestLastRecord(t *testing.T) {
	a, b := []byte{22, 3, 3, 0, 2, 1, 2}, []byte{23, 3, 3, 0, 1, 9}
	for _, test := range []struct {
		name     string
		in, want []byte
	}{
		{"one", a, a},
		{"two", cat(a, b), b},
		{"none", nil, nil},
		{"a cut body", cat(a, b[:5]), nil},
		{"a cut header", cat(a, b[:3]), nil},
	} {
		if got := lastRecord(test.in); !bytes.Equal(got, test.want) {
			t.Errorf("%s: got %x, want %x", test.name, got, test.want)
		}
	}
}

// Unexpected output of the handshake ends the connection.
func TestTakeoverRefusesUnexpectedOutput(t *testing.T) {
	for name, spoil := range map[string]func(h *handshake){
		"no record":               func(h *handshake) { h.last = nil },
		"another record":          func(h *handshake) { h.last[len(h.last)-1] ^= 1 },
		"no handshake secret":     func(h *handshake) { h.secrets.have &^= haveHandshake },
		"secrets of a wrong size": func(h *handshake) { h.secrets.n-- },
	} {
		sh := newShared(t, nil)
		v := newServer(t, sh, nil)
		r := server(t, v, &stdtls.Config{})
		// Our flight was sent, and the client's Finished has not arrived.
		_ = r.do(func() error {
			r.m.Conn = stdtls.Client(&spoiler{r.m.wire().(*mateWire), func() {
				if h := r.s.hs; h != nil && len(h.last) > 0 {
					spoil(h)
				}
			}}, &stdtls.Config{RootCAs: testCA().pool(), ServerName: "example.test", Time: wallToday})
			return r.m.Handshake()
		})
		if !errors.Is(r.p.cause, errTakeover) {
			t.Errorf("%s: closed with %v, want %v", name, r.p.cause, errTakeover)
		}
	}
}

// spoiler calls a function before each write.
type spoiler struct {
	*mateWire
	before func()
}

func (s *spoiler) Write(b []byte) (int, error) {
	s.before()
	return s.mateWire.Write(b)
}

func TestKeyLogServesOneHandshakeOnly(t *testing.T) {
	sh := newShared(t, nil)
	k := &keyLog{sh}
	line := []byte("CLIENT_TRAFFIC_SECRET_0 00 " + "0102\n")
	if _, err := k.Write(line); !errors.Is(err, errKeyLog) {
		t.Errorf("with no handshake: got %v, want %v", err, errKeyLog)
	}
	h := &handshake{}
	sh.serving = h
	if _, err := k.Write(line); err != nil || h.secrets.client[1] != 2 || h.secrets.n != 2 {
		t.Errorf("a line: got %v, %x, want the secret 0102", err, h.secrets.client[:2])
	}
	for name, line := range map[string]string{
		"the same again": string(line),
		"too long":       "SERVER_TRAFFIC_SECRET_0 00 " + string(bytes.Repeat([]byte("00"), maxSecret+1)),
		"no hexadecimal": "SERVER_TRAFFIC_SECRET_0 00 zz",
	} {
		if _, err := k.Write([]byte(line)); !errors.Is(err, errKeyLog) {
			t.Errorf("%s: got %v, want %v", name, err, errKeyLog)
		}
	}
	if _, err := k.Write([]byte("EXPORTER_SECRET 00 00")); err != nil {
		t.Errorf("an unused label: got %v, want none", err)
	}
	sh.serving = nil
}
