package cookie

import "time"

var months = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// parseDate parses a date by RFC 6265 s.5.1.1, which is lenient: it takes the first tokens that look like a time, a day,
// a month and a year, in any order, and ignores all others.
func parseDate(s string) (time.Time, bool) {
	var hour, minute, second, day, month, year int
	var haveTime, haveDay, haveMonth, haveYear bool
	for i := 0; i < len(s); {
		if delimiter(s[i]) {
			i++
			continue
		}
		end := i
		for end < len(s) && !delimiter(s[end]) {
			end++
		}
		token := s[i:end]
		i = end
		if !haveTime {
			if hour, minute, second, haveTime = parseTime(token); haveTime {
				continue
			}
		}
		if !haveDay {
			if day, haveDay = leadingNumber(token, 1, 2); haveDay {
				continue
			}
		}
		if !haveMonth {
			if month, haveMonth = parseMonth(token); haveMonth {
				continue
			}
		}
		if !haveYear {
			year, haveYear = leadingNumber(token, 2, 4)
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	if !haveTime || !haveDay || !haveMonth || !haveYear || day < 1 || day > 31 || year < 1601 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day // false for a date such as 31 February
}

// delimiter reports whether c separates the tokens of a date.
func delimiter(c byte) bool {
	return c == '\t' || c >= 0x20 && c <= 0x2f || c >= 0x3b && c <= 0x40 || c >= 0x5b && c <= 0x60 || c >= 0x7b && c <= 0x7e
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// leadingNumber parses the digits at the start of s, of which there must be least to most.
func leadingNumber(s string, least, most int) (n int, ok bool) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		if i == most {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, i >= least
}

// parseTime parses hour:minute:second. Anything but a digit may follow.
func parseTime(s string) (h, m, sec int, ok bool) {
	var v [3]int
	for k := range v {
		i := 0
		for i < len(s) && i < 3 && isDigit(s[i]) {
			v[k] = v[k]*10 + int(s[i]-'0')
			i++
		}
		if i == 0 || i > 2 || k < 2 && (i == len(s) || s[i] != ':') {
			return 0, 0, 0, false
		}
		if s = s[i:]; k < 2 {
			s = s[1:]
		}
	}
	return v[0], v[1], v[2], true
}

// parseMonth parses the first three letters of a month and returns its number, 1 to 12.
func parseMonth(s string) (int, bool) {
	if len(s) < 3 {
		return 0, false
	}
	for i, m := range months {
		if s[0]|0x20 == m[0] && s[1]|0x20 == m[1] && s[2]|0x20 == m[2] {
			return i + 1, true
		}
	}
	return 0, false
}
