package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// slow is an output whose first write takes long.
type slow struct {
	release chan struct{}
	got     bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.release
	return s.got.Write(p)
}

// A blocked output stops the server by flow control, and no byte is lost.
func TestFetchSlowOutput(t *testing.T) {
	const total = 64 << 20
	piece := pattern(1<<20, 13)
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for sent.Load() < total {
			n, err := w.Write(piece)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer s.Close()
	out := &slow{release: make(chan struct{})}
	var errs text
	a := &app{in: strings.NewReader(""), out: out, err: &errs, signals: make(chan os.Signal)}
	over := make(chan int, 1)
	go func() { over <- a.run([]string{"fetch", s.URL}) }()
	// The server's writes stop long before the end.
	last, still := int64(-1), 0
	poll(t, "the server to be stopped", func() bool {
		if now := sent.Load(); now != last || now == 0 {
			last, still = now, 0
		} else {
			still++
		}
		return still == 100
	})
	if last >= total {
		t.Errorf("the server sent all %d bytes although the output is blocked", last)
	}
	close(out.release)
	if status := <-over; status != exitOK || !bytes.Equal(out.got.Bytes(), bytes.Repeat(piece, total>>20)) {
		t.Errorf("status %d and %d bytes, want 0 and %d as they were sent\n%s", status, out.got.Len(), total, &errs)
	}
}
