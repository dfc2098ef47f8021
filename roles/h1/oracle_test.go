package h1

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	nethttp "net/http"
	"testing"

	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/rolestest"
)

// TestNetHTTPReadsResponses: net/http reads what the server writes.
func TestNetHTTPReadsResponses(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 5000)
	for _, length := range []int64{int64(len(body)), http.UnknownLength} {
		h := &recorder{onEnd: func(x http.Exchange) { x.WantWrite() }}
		h.writable = func(x http.Exchange) {
			m := &http.Message{Status: 203, Length: length, Fields: []http.Field{{Name: []byte("A"), Value: []byte("b")}}}
			if err := x.SendHead(m, false); err != nil {
				t.Fatal(err)
			}
			rest := body
			for len(rest) > 0 {
				n := copy(x.Room(), rest)
				rest = rest[n:]
				x.Commit(n, false)
			}
			if length < 0 {
				if err := x.SendTrailers([]http.Field{{Name: []byte("Sum"), Value: []byte("5")}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, l := serve(NewShared(DefaultConfig()), h)
		l.Feed([]byte(getHead))
		r, err := nethttp.ReadResponse(bufio.NewReader(bytes.NewReader(l.Out)), nil)
		if err != nil {
			t.Fatalf("length %d: %v\n%.200q", length, err, l.Out)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) || r.StatusCode != 203 || r.Header.Get("A") != "b" || r.ContentLength != length {
			t.Errorf("length %d: status %d, A %q, length %d, %d bytes of body, %v", length, r.StatusCode, r.Header.Get("A"), r.ContentLength, len(got), err)
		}
		if length < 0 && r.Trailer.Get("Sum") != "5" {
			t.Errorf("trailers are %v, want Sum: 5", r.Trailer)
		}
	}
}

// TestNetHTTPReadsRequests: net/http reads what the client writes.
func TestNetHTTPReadsRequests(t *testing.T) {
	body := string(bytes.Repeat([]byte("0123456789"), 5000))
	for _, length := range []int64{int64(len(body)), http.UnknownLength} {
		k, l := dial(NewShared(DefaultConfig()))
		start(t, k, l, &http.Message{Method: []byte("PUT"), Path: []byte("/a"), Query: []byte("b=c"), Authority: []byte("x:81"), Length: length}, body)
		r, err := nethttp.ReadRequest(bufio.NewReader(bytes.NewReader(l.Out)))
		if err != nil {
			t.Fatalf("length %d: %v\n%.200q", length, err, l.Out)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != body || r.Method != "PUT" || r.RequestURI != "/a?b=c" || r.Host != "x:81" || r.ContentLength != length {
			t.Errorf("length %d: %s %s for %s, length %d, %d bytes of body, %v", length, r.Method, r.RequestURI, r.Host, r.ContentLength, len(got), err)
		}
	}
}

// TestBothEndsTogether connects a client and a server by two transports with little room and random pieces. The server
// echoes bodies of random length and framing.
func TestBothEndsTogether(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := &echo{}
		_, sl := serve(NewShared(DefaultConfig()), e)
		k, cl := dial(NewShared(DefaultConfig()))
		for range 4 {
			body := make([]byte, r.IntN(100000))
			for i := range body {
				body[i] = byte(r.Uint32())
			}
			length := int64(len(body))
			if r.IntN(2) == 0 {
				length = http.UnknownLength
			}
			e.chunked = r.IntN(2) == 0
			q := &collector{recorder: (&recorder{}).request(&http.Message{Method: []byte("POST"), Authority: []byte("x"), Length: length}, string(body))}
			if _, err := k.Do(q); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for turns := 0; q.dones == 0; turns++ {
				if turns > 100000 {
					t.Fatalf("seed %d: no progress after %d of %d bytes of echo", seed, len(q.got), len(body))
				}
				pass(r, cl, sl)
				pass(r, sl, cl)
			}
			if q.cause != nil || !bytes.Equal(q.got, body) {
				t.Fatalf("seed %d: Done with %v, %d bytes echoed, want %d", seed, q.cause, len(q.got), len(body))
			}
		}
		if cl.Misuse+sl.Misuse != "" || !k.Reusable() {
			t.Errorf("seed %d: misuse %q %q, reusable %v", seed, cl.Misuse, sl.Misuse, k.Reusable())
		}
	}
}

// pass serves one end and gives a piece of its output to the other.
func pass(r *rand.Rand, from, to *rolestest.Lower) {
	from.Allow = 1 + r.IntN(20000)
	from.Service()
	if n := min(len(from.Out), r.IntN(30000)); n > 0 && !to.Paused {
		piece := bytes.Clone(from.Out[:n])
		from.Out = from.Out[:copy(from.Out, from.Out[n:])]
		to.Feed(piece)
	}
}

// collector is a recorder that keeps the bytes of the body.
type collector struct {
	*recorder
	got []byte
}

func (q *collector) Body(_ http.Exchange, b []byte) { q.got = append(q.got, b...) }

// echo is a handler of a server that sends the body of a request back while it arrives, and pauses while it has too much
// to send.
type echo struct {
	chunked     bool
	head, ended bool
	length      int64
	held        []byte
}

func (e *echo) Head(x http.Exchange, m *http.Message) {
	e.head, e.ended, e.held, e.length = false, false, nil, m.Length
	if e.chunked {
		e.length = http.UnknownLength
	}
	x.WantWrite()
}

func (e *echo) Body(x http.Exchange, b []byte) {
	e.held = append(e.held, b...)
	if len(e.held) > 10000 {
		x.Pause()
	}
	x.WantWrite()
}

func (e *echo) End(x http.Exchange, _ []http.Field) {
	e.ended = true
	x.WantWrite()
}

func (e *echo) Writable(x http.Exchange) {
	if !e.head {
		switch err := x.SendHead(&http.Message{Status: 200, Length: e.length}, false); err {
		case nil:
			e.head = true
		case http.ErrNoRoom:
			x.WantWrite()
			return
		default:
			panic(err)
		}
	}
	for len(e.held) > 0 {
		room := x.Room()
		if room == nil {
			x.WantWrite()
			return
		}
		n := copy(room, e.held)
		e.held = e.held[n:]
		x.Commit(n, e.ended && len(e.held) == 0)
	}
	x.Resume()
	if e.ended {
		x.Commit(0, true)
	}
}

func (e *echo) Done(_ http.Exchange, cause error) {
	if cause != nil {
		panic(cause)
	}
}
