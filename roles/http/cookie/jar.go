package cookie

import (
	"strings"
	"time"
	"unsafe"
)

// Suffixes tells domains that anybody can register a name below, such as "com" and "co.uk", from those that
// belong to somebody. golang.org/x/net/publicsuffix.List is one.
type Suffixes interface {
	// PublicSuffix returns the public suffix of domain.
	PublicSuffix(domain string) string
}

// Limits bound a jar.
type Limits struct {
	// PerHost is how many cookies one domain may have, Total how many there are in all. Beyond them those that
	// have expired go first, then those that are not Secure, so that nobody on the network can flood the others out
	// (RFC 6265bis s.5.7), and among equals the one that was not used for the longest time.
	PerHost, Total int
	// Size is the longest cookie, name and value, in bytes. A longer one is refused.
	Size int
	// Field is the longest Cookie field, in bytes. Cookies that do not fit are left out, rather than that the request fails.
	Field int
	// Life is the longest time until a cookie expires.
	Life time.Duration
}

// DefaultLimits are what RFC 6265 s.6.1 asks of a jar for each domain, with a total that suits a device.
func DefaultLimits() Limits {
	return Limits{
		PerHost: 50,
		Total:   500,
		Size:    4096,
		Field:   8 << 10,              // of which servers take no more in a whole head
		Life:    400 * 24 * time.Hour, // RFC 6265bis s.5.5
	}
}

// Counters count since the jar was made.
type Counters struct {
	Set, Refused uint64 // Set-Cookie fields that were taken, and that were not
	Expired      uint64 // cookies that went because their time was over
	Evicted      uint64 // cookies that had to make room
	BadLines     uint64 // of files
}

// Jar holds cookies. The zero Jar is empty, has the default limits, and knows no public suffixes. It belongs to
// one goroutine.
type Jar struct {
	Limits   Limits   // zero fields mean the default
	Suffixes Suffixes // nil: a cookie for a domain is kept for the host that set it alone
	Counters Counters

	domains map[string][]*entry
	n       int
	size    int    // bytes of memory
	clock   uint64 // counts creations and uses
	changed uint64
	match   []*entry // scratch
}

// entry is a stored cookie.
type entry struct {
	name, value  string
	domain, path string
	expires      time.Time // zero: with the session
	made, used   uint64    // on the jar's clock
	hostOnly     bool
	secure       bool
	httpOnly     bool
}

// Origin is where a request goes.
type Origin struct {
	Host   string // name or address that was connected to, without a port; compared in lower case
	Path   []byte // of the request, without its query
	Secure bool   // over TLS
}

// Len is how many cookies there are, expired ones that nobody has met yet included.
func (j *Jar) Len() int { return j.n }

// Size is about how many bytes of memory the cookies take.
func (j *Jar) Size() int { return j.size }

// size is about what an entry takes, with its place in the lists.
func (e *entry) size() int {
	return int(unsafe.Sizeof(*e)) + 16 + len(e.name) + len(e.value) + len(e.domain) + len(e.path)
}

// Changed grows whenever something changes that Save would write.
func (j *Jar) Changed() uint64 { return j.changed }

// limits are Limits with the defaults in place.
func (j *Jar) limits() Limits {
	l, d := j.Limits, DefaultLimits()
	if l.PerHost <= 0 {
		l.PerHost = d.PerHost
	}
	if l.Total <= 0 {
		l.Total = d.Total
	}
	if l.Size <= 0 {
		l.Size = d.Size
	}
	if l.Field <= 0 {
		l.Field = d.Field
	}
	if l.Life <= 0 {
		l.Life = d.Life
	}
	return l
}

// Append appends the Cookie field value for a request to o, "a=1; b=2", and returns b as it was if no cookie
// goes there. Cookies with longer paths come first, among equals those that were made first (RFC 6265 s.5.4).
func (j *Jar) Append(b []byte, o Origin, now time.Time) []byte {
	if j.n == 0 {
		return b
	}
	host := lower(o.Host)
	j.match = j.match[:0]
	for d := host; d != ""; d = parent(d) {
		for i := 0; i < len(j.domains[d]); i++ {
			e := j.domains[d][i]
			switch {
			case e.over(now):
				j.remove(e)
				j.Counters.Expired++
				i--
			case e.hostOnly && d != host, e.secure && !o.Secure, !pathMatch(o.Path, e.path):
			default:
				j.match = append(j.match, e)
			}
		}
		if isAddress(host) {
			break
		}
	}
	sortEntries(j.match)
	begin, most := len(b), j.limits().Field
	for _, e := range j.match {
		if len(b)-begin+len("; =")+len(e.name)+len(e.value) > most {
			continue
		}
		if len(b) > begin {
			b = append(b, "; "...)
		}
		b = append(append(append(b, e.name...), '='), e.value...)
		j.clock++
		e.used = j.clock
	}
	clear(j.match)
	return b
}

// sortEntries sorts in the order in which cookies are sent. They are few.
func sortEntries(list []*entry) {
	for i := 1; i < len(list); i++ {
		for k := i; k > 0 && list[k].before(list[k-1]); k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
	}
}

func (e *entry) before(f *entry) bool {
	if len(e.path) != len(f.path) {
		return len(e.path) > len(f.path)
	}
	return e.made < f.made
}

func (e *entry) over(now time.Time) bool { return !e.expires.IsZero() && !e.expires.After(now) }

// find returns the cookie of that name, domain and path, nil if there is none.
func (j *Jar) find(name, domain, path string) *entry {
	for _, e := range j.domains[domain] {
		if e.name == name && e.path == path {
			return e
		}
	}
	return nil
}

// put stores e, in the place of the one with its name, domain and path, whose age it takes over.
func (j *Jar) put(e *entry, now time.Time) {
	j.clock++
	e.made, e.used = j.clock, j.clock
	j.changed++
	if old := j.find(e.name, e.domain, e.path); old != nil {
		e.made = old.made
		j.size += e.size() - old.size()
		*old = *e
		return
	}
	if j.domains == nil {
		j.domains = make(map[string][]*entry)
	}
	l := j.limits()
	for len(j.domains[e.domain]) >= l.PerHost {
		j.evict(j.domains[e.domain], now)
	}
	for j.n >= l.Total {
		j.evict(nil, now)
	}
	j.domains[e.domain] = append(j.domains[e.domain], e)
	j.n++
	j.size += e.size()
}

// evict makes room: among list, or among all when it is nil.
func (j *Jar) evict(list []*entry, now time.Time) {
	var worst *entry
	look := func(list []*entry) {
		for _, e := range list {
			if worst == nil || e.missedLess(worst, now) {
				worst = e
			}
		}
	}
	if look(list); list == nil {
		for _, l := range j.domains {
			look(l)
		}
	}
	if worst.over(now) {
		j.Counters.Expired++
	} else {
		j.Counters.Evicted++
	}
	j.remove(worst)
}

// missedLess says whether e goes before f.
func (e *entry) missedLess(f *entry, now time.Time) bool {
	switch {
	case e.over(now) != f.over(now):
		return e.over(now)
	case e.secure != f.secure:
		return f.secure
	}
	return e.used < f.used
}

func (j *Jar) remove(e *entry) {
	list := j.domains[e.domain]
	for i, f := range list {
		if f == e {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(j.domains, e.domain)
	} else {
		j.domains[e.domain] = list
	}
	j.n--
	j.size -= e.size()
	j.changed++
}

// Clear forgets everything.
func (j *Jar) Clear() {
	j.domains, j.n, j.size = nil, 0, 0
	j.changed++
}

// parent is the domain above d, "" if there is none.
func parent(d string) string {
	_, rest, _ := strings.Cut(d, ".")
	return rest
}

// lower is a host in lower case, without the dot of an absolute name.
func lower(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
