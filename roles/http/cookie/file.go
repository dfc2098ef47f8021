package cookie

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The file format is Netscape's cookies.txt, which curl, wget and libwebsockets share. Each cookie is a line of seven
// fields with tabs between them: domain, TRUE if subdomains match, path, TRUE if Secure, expiry in seconds since 1970,
// name, value. As in curl, httpOnlyMark at the start of a line marks an HttpOnly cookie.
const (
	fileHead     = "# Netscape HTTP Cookie File\n"
	httpOnlyMark = "#HttpOnly_"
)

// Save appends the persistent cookies to b as the text of a file, in order of creation.
func (j *Jar) Save(b []byte, now time.Time) []byte {
	var list []*entry
	for _, l := range j.domains {
		for _, e := range l {
			if !e.expires.IsZero() && !e.expired(now) {
				list = append(list, e)
			}
		}
	}
	slices.SortFunc(list, func(e, f *entry) int { return int(int64(e.made) - int64(f.made)) })
	b = append(b, fileHead...)
	for _, e := range list {
		if e.httpOnly {
			b = append(b, httpOnlyMark...)
		}
		if !e.hostOnly {
			b = append(b, '.')
		}
		b = append(b, e.domain...)
		b = appendBool(b, !e.hostOnly)
		b = append(append(b, '\t'), e.path...)
		b = appendBool(b, e.secure)
		b = append(b, '\t')
		b = strconv.AppendInt(b, e.expires.Unix(), 10)
		b = append(append(b, '\t'), e.name...)
		b = append(append(b, '\t'), e.value...)
		b = append(b, '\n')
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "\tTRUE"...)
	}
	return append(b, "\tFALSE"...)
}

// Load adds the cookies of the text of a file, except those that have expired and those that the jar has already. It
// skips and counts malformed lines. text is not kept.
func (j *Jar) Load(text []byte, now time.Time) {
	before := j.changed
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		s := strings.TrimSuffix(string(line), "\r")
		httpOnly := strings.HasPrefix(s, httpOnlyMark)
		if httpOnly {
			s = s[len(httpOnlyMark):]
		} else if trim(s) == "" || s[0] == '#' {
			continue
		}
		e := j.parseLine(s, now)
		if e == nil {
			j.Counters.BadLines++
			continue
		}
		if e.httpOnly = httpOnly; e.expired(now) || j.find(e.name, e.domain, e.path) != nil {
			continue
		}
		j.put(e, now)
	}
	j.changed = before // the file has these cookies already
}

// parseLine returns the cookie of a line, or nil if the line is malformed.
func (j *Jar) parseLine(s string, now time.Time) *entry {
	f := strings.Split(s, "\t")
	l := j.limits()
	if len(f) != 7 || control(strings.Join(f, "")) {
		return nil
	}
	expires, err := strconv.ParseInt(f[4], 10, 64)
	domain := lower(strings.TrimPrefix(f[0], "."))
	if err != nil || domain == "" || !strings.HasPrefix(f[2], "/") || len(f[2]) > attributeMax || f[5] == "" || len(f[5])+len(f[6]) > l.Size ||
		f[5] != trim(f[5]) || f[6] != trim(f[6]) || strings.ContainsAny(f[5], "=;") || strings.Contains(f[6], ";") {
		return nil
	}
	subdomains, secure := f[1] == "TRUE", f[3] == "TRUE"
	if !subdomains && f[1] != "FALSE" || !secure && f[3] != "FALSE" {
		return nil
	}
	e := &entry{name: f[5], value: f[6], domain: domain, path: f[2], secure: secure}
	// A file is trusted no more than a server: its writer may have used another public suffix list, or none.
	e.hostOnly = !subdomains || j.Suffixes == nil || isAddress(domain)
	if !e.hostOnly && j.Suffixes.PublicSuffix(domain) == domain || !e.obeysPrefix() {
		return nil
	}
	if expires > 0 {
		e.expires = earlier(time.Unix(min(expires, 1<<40), 0), now, l.Life)
	}
	return e
}
