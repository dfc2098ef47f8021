package http

import (
	"time"
)

// The three forms of a date (RFC 9110 s.5.6.7). The first is the one to send.
const (
	imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"
	rfc850     = "Monday, 02-Jan-06 15:04:05 GMT"
	asctime    = "Mon Jan _2 15:04:05 2006"
)

// DateLen is the length of what AppendDate appends.
const DateLen = len(imfFixdate)

// AppendDate appends t as an IMF-fixdate, the form of the Date field.
func AppendDate(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, imfFixdate) }

// ParseDate reads a date in any of the three forms that recipients must accept. now resolves the
// two-digit year of the second: a date that seems more than 50 years ahead lies in the past.
func ParseDate(b []byte, now time.Time) (t time.Time, ok bool) {
	if len(b) < len(asctime) || len(b) > len("Wednesday, 02-Jan-06 15:04:05 GMT") {
		return time.Time{}, false
	}
	s := string(b)
	for _, form := range []string{imfFixdate, rfc850, asctime} {
		t, err := time.Parse(form, s)
		// time.Parse lets a wrong weekday and loose spacing pass; the date written again does not.
		if err != nil || (form != rfc850 && t.Format(form) != s) {
			continue
		}
		t = t.UTC()
		if form == rfc850 {
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

// maxRetryAfter keeps a peer from naming a time that a clock cannot hold; nobody waits for a year.
const maxRetryAfter = 365 * 24 * time.Hour

// ParseRetryAfter reads a Retry-After value (RFC 9110 s.10.2.3): how long from now to wait. A date in the
// past is 0; more than a year is a year.
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
