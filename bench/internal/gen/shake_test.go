package gen

import (
	"crypto/tls"
	"io"
	"log"
	"strings"
	"testing"
)

// discard drops net/http's log lines about clients that disconnect.
var discard = log.New(io.Discard, "", 0)

func TestHandshakes(t *testing.T) {
	for _, tc := range []struct {
		name    string
		offer   tls.CurveID
		only    []tls.CurveID // the server's groups, nil for all
		resume  bool
		noTick  bool
		want    tls.CurveID
		wantErr string
	}{
		{name: "full", offer: tls.X25519MLKEM768, want: tls.X25519MLKEM768},
		{name: "another group", offer: tls.X25519MLKEM768, only: []tls.CurveID{tls.X25519}, want: tls.X25519},
		{name: "resumed", offer: tls.X25519, resume: true, want: tls.X25519},
		{name: "no tickets", offer: tls.X25519, resume: true, noTick: true, wantErr: "no ticket"},
		{name: "no group", offer: tls.X25519, only: []tls.CurveID{tls.CurveP256}, wantErr: "handshake failure"},
	} {
		addr, _ := serveTLS(t, hello, &tls.Config{CurvePreferences: tc.only, SessionTicketsDisabled: tc.noTick})
		r, got, err := Handshakes(Shake{Addr: addr, Workers: 4, Group: tc.offer, Resume: tc.resume}, window())
		if tc.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("%s: got %+v, %v; want an error with %q", tc.name, r, err, tc.wantErr)
			}
			continue
		}
		if err != nil || got != tc.want {
			t.Errorf("%s: got %v, %v; want %v", tc.name, got, err, tc.want)
		}
		if r.Done == 0 || r.CPU <= 0 || r.Elapsed <= 0 || r.Idle < 0 || r.Idle > 1 {
			t.Errorf("%s: got %+v, want figures", tc.name, r)
		}
	}
}

// An error of a worker ends the measurement.
func TestHandshakesEndWithAnError(t *testing.T) {
	addr, _ := serveTLS(t, hello, nil)
	s := shaker{Shake: Shake{Addr: addr, Workers: 2}, config: clientTLS(new(ticket))}
	s.Resume = true // the cache is empty, so no handshake resumes a session
	if _, err := s.run(window()); err == nil || !strings.Contains(err.Error(), "resumed false, want true") {
		t.Errorf("got %v, want the first worker's error", err)
	}
}
