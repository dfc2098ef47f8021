package http

import (
	"time"
)

// The three formats of a date (RFC 9110 s.5.6.7). A sender uses the first.
const (
	imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"
	rfc850     = "Monday, 02-Jan-06 15:04:05 GMT"
	asctime    = "Mon Jan _2 15:04:05 2006"
)

// DateLen is the number of bytes that AppendDate appends.
const DateLen = len(imfFixdate)

// AppendDate appends t to b as an IMF-fixdate, the format of the Date field.
func AppendDate(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, imfFixdate) }

// ParseDate parses a date in any of the three formats that recipients must accept. now resolves the two-digit year of the
// second format: a date that seems more than 50 years in the future is in the past (RFC 9110 s.5.6.7).
func ParseDate(b []byte, now time.Time) (t time.Time, ok bool) {
	if len(b) < len(asctime) || len(b) > len("Wednesday, 02-Jan-06 15:04:05 GMT") {
		return time.Time{}, false
	}
	s := string(b)
	for _, format := range []string{imfFixdate, rfc850, asctime} {
		t, err := time.Parse(format, s)
		// time.Parse accepts a wrong weekday and loose spacing, so the date is formatted again and compared.
		if err != nil || (format != rfc850 && t.Format(format) != s) {
			continue
		}
		t = t.UTC()
		if format == rfc850 {
			century := now.UTC().Year() / 100 * 100
			t = time.Date(century+t.Year()%100, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
			if t.After(now.AddDate(50, 0, 0)) {
				t = t.AddDate(-100, 0, 0)
			}
			if t.Format(rfc850) != s {
				return time.Time{}, false
			}
		}
		return t, true
	}
	return time.Time{}, false
}

// maxRetryAfter bounds the time that a peer can ask for, so that sums with it do not overflow.
const maxRetryAfter = 365 * 24 * time.Hour

// ParseRetryAfter parses a Retry-After value (RFC 9110 s.10.2.3) and returns how long to wait from now. A date in the
// past gives 0, and a wait of more than a year gives a year.
func ParseRetryAfter(value []byte, now time.Time) (wait time.Duration, ok bool) {
	if len(value) == 0 {
		return 0, false
	}
	if value[0] < '0' || value[0] > '9' {
		t, ok := ParseDate(value, now)
		if !ok {
			return 0, false
		}
		return min(max(t.Sub(now), 0), maxRetryAfter), true
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		wait = min(wait*10+time.Duration(c-'0')*time.Second, maxRetryAfter)
	}
	return wait, true
}
