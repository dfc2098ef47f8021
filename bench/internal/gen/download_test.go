package gen

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// serveBulk answers every request with the bulk, which spoil may damage.
func serveBulk(spoil func(off int, b []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(BulkSize))
		for off := 0; off < BulkSize; {
			b := append([]byte(nil), Bulk(off, 50_000)...)
			spoil(off, b)
			if _, err := w.Write(b); err != nil {
				return
			}
			off += len(b)
		}
	}
}

func TestDownload(t *testing.T) {
	addr, _ := serveTLS(t, serveBulk(func(int, []byte) {}), nil)
	r, err := Download(BulkLoad{Addr: addr, Conns: 2, TLS: true}, window())
	if err != nil || r.Done < 1<<20 || r.CPU <= 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestDownloadNoticesDamage(t *testing.T) {
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"another byte", serveBulk(func(off int, b []byte) {
			if off > 1<<20 {
				b[7]++
			}
		}), "differ from the bulk"},
		{"another length", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, Body) }, "no content-length"},
		{"404", http.NotFound, "wrong response"},
	} {
		addr, _ := serveTLS(t, tc.h, nil)
		if r, err := Download(BulkLoad{Addr: addr, Conns: 1, TLS: true}, window()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", tc.name, r, err, tc.want)
		}
	}
}

// The body is contiguous from any offset, and ends.
func TestBulk(t *testing.T) {
	for _, tc := range []struct{ off, n, want int }{
		{0, 10, 10}, {period - 1, 10, 10}, {0, BulkSize, period}, {BulkSize - 3, 10, 3},
	} {
		b := Bulk(tc.off, tc.n)
		if len(b) != tc.want || b[0] != pattern[tc.off%period] {
			t.Errorf("Bulk(%d, %d): got %d bytes from %#x, want %d from %#x", tc.off, tc.n, len(b), b[0], tc.want, pattern[tc.off%period])
		}
	}
}
