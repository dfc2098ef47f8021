package http

import (
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestParseDate(t *testing.T) {
	nov6 := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, c := range []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", nov6},
		{"Sunday, 06-Nov-94 08:49:37 GMT", nov6},
		{"Sun Nov  6 08:49:37 1994", nov6},
		{"Sun Nov 16 08:49:37 2003", time.Date(2003, 11, 16, 8, 49, 37, 0, time.UTC)},
		{"Friday, 06-Nov-26 08:49:37 GMT", time.Date(2026, 11, 6, 8, 49, 37, 0, time.UTC)},
		{"Mon, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Monday, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:61 GMT", time.Time{}},
		{"Sun, 31 Feb 1994 08:49:37 GMT", time.Time{}},
		{"sun, 06 nov 1994 08:49:37 gmt", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", time.Time{}},
		{"", time.Time{}},
		{"1994-11-06T08:49:37Z", time.Time{}},
	} {
		got, ok := ParseDate([]byte(c.in), now)
		if ok == c.want.IsZero() || !got.Equal(c.want) {
			t.Errorf("ParseDate(%q) = %v, %v; want %v", c.in, got, ok, c.want)
		}
		if ok {
			if b := AppendDate(nil, got); len(b) != DateLen {
				t.Errorf("AppendDate(%v) = %q: %d octets, want %d", got, b, len(b), DateLen)
			}
		}
	}
	if got := string(AppendDate([]byte("Date: "), nov6)); got != "Date: Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Errorf("AppendDate = %q", got)
	}
}

func TestParseRetryAfter(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration // -1: refused
	}{
		{"0", 0}, {"120", 2 * time.Minute}, {"007", 7 * time.Second},
		{"99999999999999999999999999", maxRetryAfter},
		{"Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		{"Sun, 01 Mar 2026 11:00:00 GMT", 0},
		{"Sun, 01 Mar 9026 12:01:00 GMT", -1}, // was not a Sunday
		{"", -1}, {"-1", -1}, {"1.5", -1}, {"1s", -1}, {"soon", -1}, {" 1", -1},
	} {
		got, ok := ParseRetryAfter([]byte(c.in), now)
		if !ok {
			got = -1
		}
		if got != c.want {
			t.Errorf("ParseRetryAfter(%q) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestDateDoesNotAllocate(t *testing.T) {
	b := make([]byte, 0, DateLen)
	if n := testing.AllocsPerRun(100, func() { b = AppendDate(b[:0], now) }); n != 0 {
		t.Errorf("AppendDate: %v allocations, want 0", n)
	}
}
