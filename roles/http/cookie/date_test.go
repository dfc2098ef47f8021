package cookie

import (
	"testing"
	"time"
)

// TestDates: parseDate accepts the date formats in use, and rejects what RFC 6265 s.5.1.1 rejects.
func TestDates(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06-Nov-1994 08:49:37 GMT",
		"1994 6 november 8:49:37", "08:49:37 Nov 1994 06", "06 Nov 94 08:49:37x", "6;Nov;1994;8:49:37", "Sun, 06 Nov 1994 08:49:37 +0500", "06th Nov 1994 08:49:37",
	} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("parseDate(%q): got %v, %v; want %v, true", s, got, ok, want)
		}
	}
	for _, s := range []string{
		"", "Sun", "06 Nov 1994", "06 Nov 1994 08:49", "06 Nov 1994 24:00:00", "06 Nov 1994 08:60:00", "06 Nov 1994 08:49:60", "32 Nov 1994 08:49:37",
		"0 Nov 1994 08:49:37", "31 Feb 1994 08:49:37", "06 Nov 1600 08:49:37", "06 Nov 1 08:49:37", "06 Nov 19944 08:49:37", "06 Nix 1994 08:49:37", "06 Nov 1994 008:49:37",
	} {
		if got, ok := parseDate(s); ok {
			t.Errorf("parseDate(%q): got %v, want it rejected", s, got)
		}
	}
	for s, year := range map[string]int{"1 Jan 69 00:00:00": 2069, "1 Jan 70 00:00:00": 1970, "1 Jan 00 00:00:00": 2000, "1 Jan 99 00:00:00": 1999} {
		if got, ok := parseDate(s); !ok || got.Year() != year {
			t.Errorf("parseDate(%q): got %v, want a date in %d", s, got, year)
		}
	}
}
