package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss"
)

// wantLengths checks the counts of bodies with a length other than announced, and that the log names the
// stream type once for each.
func wantLengths(t *testing.T, rt *ss.Runtime, log, streamType string, short, long uint64) {
	t.Helper()
	if c := rt.Counters; c.ShortBodies != short || c.LongBodies != long {
		t.Errorf("counted %d short bodies, %d long ones; want %d, %d", c.ShortBodies, c.LongBodies, short, long)
	}
	if n := strings.Count(log, "stream="+streamType+" announced="); uint64(n) != short+long {
		t.Errorf("the log names stream %s with its announced length %d times, want %d:\n%s", streamType, n, short+long, log)
	}
}

// TestLengthsThatDiffer: a body with a length other than announced is counted and logged, at a client and at a server.
// One that is too short aborts the exchange; of one that is too long the announced part is sent.
func TestLengthsThatDiffer(t *testing.T) {
	for _, c := range []struct {
		name        string
		announced   int64
		noEOM, more bool // EOM is left away, and another Tx asked for
		short, long uint64
	}{
		{"as announced", 6, false, false, 0, 0},
		{"as announced, without EOM", 6, true, false, 0, 0},
		{"short", 9, false, false, 1, 0},
		{"long", 4, true, true, 0, 1},
	} {
		overEach(t, func(t *testing.T, proto string) {
			for _, side := range []string{"client", "server"} {
				t.Run(side+", "+c.name, func(t *testing.T) {
					var log bytes.Buffer
					logs := func(k *ss.Config) { k.Log = slog.New(slog.NewTextHandler(&log, nil)) }
					method := "GET"
					if side == "client" {
						method = "POST"
					}
					w := newWorld(t, clientDoc(fmt.Sprintf(`"protocol":%q,"http_method":%q,"retry":"none","opportunistic":true`, proto, method),
						`,{"srv":{"server":true,"port":80,"protocol":"h2"}}`), plan{Client: logs, Server: logs})
					give := func(s *script) {
						s.Say, s.NoEOM = []byte("abcdef"), c.noEOM
						s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
							n, f, r := s.Give(h, buf)
							if !c.more {
								return n, f, r
							}
							h.RequestTx()
							return n, f &^ ss.EOM, r
						}
					}
					got := ""
					w.Serve("srv", func(s *script) {
						if side == "server" {
							give(s)
							s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret { h.ServerAck(0); return h.RequestTxLen(c.announced) })
							return
						}
						s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
							if got += string(b); f&ss.EOM != 0 {
								h.ServerAck(0)
								return h.RequestTxLen(0)
							}
							return ss.OK
						}
					})
					s := newScript()
					s.OnRx = func(_ *ss.Handle, b []byte, _ ss.Flags) ss.Ret { got += string(b); return ss.OK }
					h := w.Create("c", s)
					if side == "client" {
						give(s)
						h.RequestTxLen(c.announced)
					} else {
						h.Connect()
					}
					w.Advance(time.Second)
					rt, streamType := w.Client.Runtime, "c"
					if side == "server" {
						rt, streamType = w.Server.Runtime, "srv"
					}
					wantLengths(t, rt, log.String(), streamType, c.short, c.long)
					if acked := s.Told(ss.QOSAckRemote) == 1; acked != (c.short == 0) || acked && got != "abcdef"[:c.announced] {
						t.Errorf("told %s, %q arrived", s.Life(), got)
					}
				})
			}
		})
	}
}

// TestRideshareHint: a length announced for the first part only does not lose the second with an ACK: Tx is called
// for it, and the attempt fails, since Content-Length was sent; a second part without payload is no error.
func TestRideshareHint(t *testing.T) {
	const doc = multipartKeys + `,"opportunistic":true,"retry":"three","rideshare":"second"`
	for _, c := range []struct {
		name   string
		second string
		late   bool // the second part has nothing to give yet when it is asked for, and no Tx is requested with the EOM
		acked  bool
	}{
		{"the second has payload", "two", false, false},
		{"the second has payload, later", "two", true, false},
		{"the second is empty", "", false, true},
		{"the second is empty, later", "", true, true},
	} {
		overEach(t, func(t *testing.T, proto string) {
			t.Run(c.name, func(t *testing.T) {
				var log bytes.Buffer
				w := newWorld(t, clientDoc(`"protocol":"`+proto+`",`+doc, `,{"second":{"http_multipart_name":"m"}},{"srv":{"server":true,"port":80,"protocol":"h2"}}`),
					plan{Client: func(k *ss.Config) { k.Log = slog.New(slog.NewTextHandler(&log, nil)) }})
				var body []byte
				whole := 0
				w.Serve("srv", func(s *script) {
					s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
						if body = append(body, b...); f&ss.EOM != 0 {
							whole++
							h.ServerAck(0)
							return h.RequestTxLen(0)
						}
						return ss.OK
					}
				})
				s := newScript()
				asked := 0
				s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
					switch {
					case h.Rideshare() == "c":
						if !c.late {
							h.RequestTx()
						}
						return copy(buf, "one"), ss.SOM | ss.EOM, ss.OK
					case c.late && asked == 0:
						asked++
						w.Net.At(time.Second, func() { h.RequestTx() })
						return 0, 0, ss.TxDontSend
					}
					asked++
					return copy(buf, c.second), ss.SOM | ss.EOM, ss.OK
				}
				w.Create("c", s).RequestTxLen(3)
				w.Advance(time.Minute)
				if asked == 0 {
					t.Error("the second part was never asked for")
				}
				if c.acked {
					if s.Told(ss.QOSAckRemote) != 1 || whole != 1 || strings.Count(string(body), "Content-Disposition") != 2 {
						t.Errorf("told %s, %d whole requests, body %q; want an ack for two parts; causes %v", s.Life(), whole, body, s.Causes)
					}
					wantLengths(t, w.Client.Runtime, log.String(), "c", 0, 0)
					return
				}
				if whole != 0 || s.Life() != "CREATING POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED" || len(s.Causes) == 0 || !errors.Is(s.Causes[0], ss.ErrMisuse) {
					t.Errorf("told %s, %d whole requests; want one failed attempt; causes %v", s.Life(), whole, s.Causes)
				}
				wantLengths(t, w.Client.Runtime, log.String(), "c", 0, 1)
			})
		})
	}
}

// TestRideshareTooLongAfterResponse: a part longer than announced, after the response has started, is a loss, since
// the stream received CONNECTED.
func TestRideshareTooLongAfterResponse(t *testing.T) {
	w := newWorld(t, clientDoc(`"protocol":"h1",`+multipartKeys+`,"opportunistic":true,"retry":"none","rideshare":"second"`, `,{"second":{"http_multipart_name":"m"}}`+rawServer), plan{})
	w.Serve("srv", speak("one", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", false))
	s := newScript()
	asked := 0
	s.OnTx = func(h *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
		if asked++; asked == 2 {
			return 0, 0, ss.TxDontSend // the second part is late
		}
		return copy(buf, "one"), ss.SOM | ss.EOM, ss.OK
	}
	s.When(ss.Connected, func(h *ss.Handle) ss.Ret { h.StartTimeout(time.Second); return ss.OK })
	s.When(ss.Timeout, (*ss.Handle).RequestTx)
	w.Create("c", s).RequestTxLen(3)
	w.Advance(5 * time.Second)
	w.WantLife("the stream", s, "CREATING POLL CONNECTING CONNECTED TIMEOUT DISCONNECTED")
	w.WantCause(s, ss.ErrMisuse)
}

// TestRideshareShort: parts shorter than announced for all of them are counted too.
func TestRideshareShort(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, clientDoc(`"protocol":"h1",`+multipartKeys+`,"retry":"none","rideshare":"second"`, `,{"second":{"http_multipart_name":"m"}}`+rawServer),
		plan{Client: func(k *ss.Config) { k.Log = slog.New(slog.NewTextHandler(&log, nil)) }})
	w.Serve("srv", nil)
	s := newScript()
	ride("one|two")(s, w.Create("c", s))
	s.Handle.RequestTxLen(10)
	w.Advance(time.Second)
	w.WantLife("the stream", s, "CREATING POLL CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
	w.WantCause(s, http.ErrMisuse)
	wantLengths(t, w.Client.Runtime, log.String(), "c", 1, 0)
}

// TestTxOrdinals: the ordinal of Tx counts per transaction, at clients and on accepted streams, however many transactions
// a connection carries.
func TestTxOrdinals(t *testing.T) {
	overEach(t, func(t *testing.T, proto string) {
		w := newWorld(t, clientDoc(`"protocol":"`+proto+`","http_method":"POST","opportunistic":true`, `,{"srv":{"server":true,"port":80,"protocol":"h2"}}`), plan{})
		count := func(s *script, list *string) {
			s.Say, s.Piece = []byte("abcdef"), 2
			s.OnTx = func(h *ss.Handle, o uint32, buf []byte) (int, ss.Flags, ss.Ret) {
				*list += fmt.Sprint(o)
				return s.Give(h, buf)
			}
		}
		var served, sent string
		w.Serve("srv", func(s *script) {
			count(s, &served)
			s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
				if f&ss.EOM != 0 {
					h.ServerAck(0)
					return h.RequestTx()
				}
				return ss.OK
			}
		})
		s := newScript()
		count(s, &sent)
		h := w.Create("c", s)
		for range 3 {
			h.RequestTx()
			w.Advance(time.Second)
		}
		w.wantConns(1)
		if sent != "012012012" || served != "012012012" || s.Told(ss.QOSAckRemote) != 3 {
			t.Errorf("ordinals of the client %s, of the server %s; want 012 three times each; told %s", sent, served, s.Life())
		}
	})
}
