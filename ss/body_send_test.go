package ss_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
)

// bodyPolicy has a server and a client that sends a body with PUT, of each protocol.
func bodyPolicy(protocol string) string {
	return fmt.Sprintf(`{"retry":[{"r":{"backoff":[100],"conceal":3,"jitterpc":0}}],"s":[
		{"srv":{"server":true,"endpoint":"10.0.0.2","port":80,"protocol":%q,"metadata":[{"length":"content-length:"}]}},
		{"cli":{"endpoint":"10.0.0.2","port":80,"protocol":%q,"http_method":"PUT","http_url":"/","retry":"r"}}]}`, protocol, protocol)
}

// sender is a client that sends a Body and collects the answer.
type sender struct {
	ss.Collector
	ss.Body
	states []string
}

func (s *sender) State(h *ss.Handle, st ss.State, n ss.Notice) ss.Ret {
	s.states = append(s.states, short(st))
	return s.Collector.State(h, st, n)
}

// send creates a client stream that sends the Body that set prepares.
func (w *world) send(set func(*sender)) (*sender, *ss.Handle) {
	w.t.Helper()
	s := &sender{}
	set(s)
	h, err := w.Client.Runtime.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return s }})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Request(h)
	return s, h
}

// sample is n bytes without a short period.
func sample(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

// A body is sent completely with its length announced, from memory and from an io.ReaderAt, and again from its start when an
// attempt was lost during it.
func TestBodyIsSentAndRewound(t *testing.T) {
	big := sample(300_000)
	for _, protocol := range []string{"h1", "h2"} {
		for _, c := range []struct {
			name string
			set  func(*sender)
			want []byte
		}{
			{"bytes", func(s *sender) { s.SetBytes(big) }, big},
			{"reader", func(s *sender) { s.SetReaderAt(bytes.NewReader(big), 0, int64(len(big))) }, big},
			{"part of a reader", func(s *sender) { s.SetReaderAt(bytes.NewReader(big), 1000, 70_000) }, big[1000:71_000]},
			{"short", func(s *sender) { s.SetBytes(big[:5]) }, big[:5]},
			{"empty", func(s *sender) { s.SetBytes(nil) }, nil},
			{"empty reader", func(s *sender) { s.SetReaderAt(bytes.NewReader(nil), 0, 0) }, nil},
			{"not set", func(s *sender) {}, nil},
		} {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprint(protocol, " ", c.name, " cut=", cut), func(t *testing.T) {
					w := newWorld(t, bodyPolicy(protocol), plan{Seed: 3})
					answered := false
					var got []byte
					var length string
					attempts := 0
					w.Serve("srv", func(s *script) {
						s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
							attempts++
							got = got[:0]
							v, _ := h.Metadata("length")
							length = string(v)
							return ss.OK
						})
						s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
							got = append(got, b...)
							if cut && attempts == 1 && len(got) >= len(c.want)/2 {
								return ss.DisconnectMe
							}
							if f&ss.EOM == 0 {
								return ss.OK
							}
							h.ServerAck(200)
							return h.RequestTxLen(0)
						}
					})
					s, h := w.send(func(s *sender) {
						c.set(s)
						s.Done = func(_ *ss.Handle, _ []byte, err error) ss.Ret {
							answered = err == nil
							return ss.OK
						}
					})
					w.Run("the answer", func() bool { return answered })
					if !bytes.Equal(got, c.want) || length != fmt.Sprint(len(c.want)) {
						t.Errorf("the server got %d bytes with content-length %q, the right ones: %v; want %d", len(got), length, bytes.Equal(got, c.want), len(c.want))
					}
					if cut && attempts != 2 {
						t.Errorf("got %d attempts, want 2; states %v", attempts, s.states)
					}
					if s.Len() != int64(len(c.want)) || s.Err() != nil {
						t.Errorf("Len %d, Err %v; want %d, nil", s.Len(), s.Err(), len(c.want))
					}
					h.Destroy()
				})
			}
		}
	}
}

// An accepted stream answers with a Body, transaction after transaction.
func TestBodyAnswers(t *testing.T) {
	big := sample(200_000)
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t, strings.Replace(bodyPolicy(protocol), "PUT", "GET", 1), plan{})
			w.Serve("srv", func(s *script) {
				var b ss.Body
				b.SetReaderAt(bytes.NewReader(big), 0, int64(len(big)))
				s.OnTx = b.Tx
				s.When(ss.ServerTxn, func(h *ss.Handle) ss.Ret {
					h.ServerAck(200)
					return b.Request(h)
				})
			})
			s := newScript()
			h := w.Create("cli", s)
			for i := 1; i <= 3; i++ {
				s.Got = s.Got[:0]
				h.Connect()
				w.Run("the answer", func() bool { return s.Told(ss.Disconnected) == i })
				if !bytes.Equal(s.Got, big) {
					t.Fatalf("answer %d: got %d bytes, want the %d of the body", i, len(s.Got), len(big))
				}
			}
		})
	}
}

// broken is an io.ReaderAt that fails.
type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// A read error ends the attempt, and Err returns it.
func TestBodyReadError(t *testing.T) {
	lost := errors.New("disk gone")
	for _, c := range []struct {
		name string
		src  io.ReaderAt
		want error
	}{
		{"error", broken{lost}, lost},
		{"shorter than announced", strings.NewReader("short"), io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, strings.Replace(bodyPolicy("h1"), `"conceal":3`, `"conceal":0`, 1), plan{})
			w.Serve("srv", nil)
			s, _ := w.send(func(s *sender) { s.SetReaderAt(c.src, 0, 100) })
			w.Run("the end of the attempts", func() bool { return strings.Contains(strings.Join(s.states, " "), "ALL_RETRIES_FAILED") })
			if err := s.Err(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "ss: body: read 100 bytes at offset 0") {
				t.Errorf("Err: got %v, want one that is %q and says what was read", err, c.want)
			}
		})
	}
}

// The stream is destroyed while a read is in progress; the world's offload delays the read.
func TestBodyOfADestroyedStream(t *testing.T) {
	w := newWorld(t, bodyPolicy("h1"), plan{})
	w.Serve("srv", nil)
	reads := 0
	s, h := w.send(func(s *sender) { s.SetReaderAt(counted{bytes.NewReader(sample(200_000)), &reads}, 0, 200_000) })
	w.Run("the first read", func() bool { return reads > 0 })
	if used := w.Client.Loop.Account().Used(); used < 64<<10 {
		t.Errorf("the account has %d bytes while a piece is held, want at least 64 KiB", used)
	}
	h.Destroy()
	w.Settle()
	if used := w.Client.Loop.Account().Used(); used != 0 {
		t.Errorf("the account has %d bytes after the end, want 0", used)
	}
	s.SetBytes([]byte("other"))
	w.Advance(time.Second)
}

// counted counts reads.
type counted struct {
	io.ReaderAt
	n *int
}

func (c counted) ReadAt(p []byte, at int64) (int, error) {
	*c.n++
	return c.ReaderAt.ReadAt(p, at)
}
