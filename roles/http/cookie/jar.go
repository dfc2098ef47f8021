package cookie

import (
	"strings"
	"time"
	"unsafe"
)

// Suffixes is a public suffix list: the domains below which anybody can register a name, such as "com" and "co.uk".
// golang.org/x/net/publicsuffix.List implements it.
type Suffixes interface {
	// PublicSuffix returns the public suffix of domain.
	PublicSuffix(domain string) string
}

// Limits bound what a jar holds and sends.
type Limits struct {
	// PerHost is the largest number of cookies of one domain, Total that of the whole jar. To make room the jar evicts
	// expired cookies first, then those that are not Secure, so that an attacker on the network cannot push the Secure
	// ones out (RFC 6265bis s.5.7), and among equals the least recently used.
	PerHost, Total int
	// Size is the longest name and value of a cookie together, in bytes. Set refuses a longer one.
	Size int
	// Field is the longest Cookie field value, in bytes. Append leaves out the cookies that do not fit, so that the
	// request does not fail.
	Field int
	// Life is the longest time until a cookie expires; a later expiry is shortened to it.
	Life time.Duration
}

// DefaultLimits returns what RFC 6265 s.6.1 requires of a jar for each domain, and a total that suits a device.
func DefaultLimits() Limits {
	return Limits{
		PerHost: 50,
		Total:   500,
		Size:    4096,
		Field:   8 << 10,              // as much as servers accept in a whole head
		Life:    400 * 24 * time.Hour, // RFC 6265bis s.5.5
	}
}

// Counters count since the jar was made.
type Counters struct {
	Set, Refused uint64 // Set-Cookie fields accepted and refused
	Expired      uint64 // cookies removed because they had expired
	Evicted      uint64 // unexpired cookies removed to make room
	BadLines     uint64 // malformed lines of files
}

// Jar holds cookies. The zero Jar is empty, has the default limits, and knows no public suffixes. It belongs to
// one goroutine.
type Jar struct {
	Limits   Limits   // zero fields mean the default
	Suffixes Suffixes // nil: a cookie with a Domain goes only to the host that set it
	Counters Counters

	domains map[string][]*entry
	n       int
	size    int      // bytes of memory of all cookies
	ticks   uint64   // counts creations and uses, as the time of both
	changed uint64   // see Changed
	match   []*entry // scratch of Append
}

// entry is a stored cookie.
type entry struct {
	name, value  string
	domain, path string
	expires      time.Time // zero: at the end of the session
	made, used   uint64    // in Jar.ticks
	hostOnly     bool
	secure       bool
	httpOnly     bool
}

// Origin is the destination of a request, or the source of a response.
type Origin struct {
	Host   string // name or address of the server, without a port, in any case
	Path   []byte // path of the request, without the query; not kept
	Secure bool   // the connection uses TLS
}

// Len returns the number of cookies, including expired ones that are not removed yet.
func (j *Jar) Len() int { return j.n }

// Size returns about how many bytes of memory the cookies take.
func (j *Jar) Size() int { return j.size }

// size returns about how many bytes of memory e takes, with its pointers in the lists.
func (e *entry) size() int {
	return int(unsafe.Sizeof(*e)) + 16 + len(e.name) + len(e.value) + len(e.domain) + len(e.path)
}

// Changed returns a number that grows with each change of what Save would write.
func (j *Jar) Changed() uint64 { return j.changed }

// limits returns Limits with the default in place of each zero.
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

// Append appends the Cookie field value of a request to o, such as "a=1; b=2", to b. It returns b unchanged if no cookie
// matches. Cookies with longer paths come first, among equals the older ones (RFC 6265 s.5.4).
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
			case e.expired(now):
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
	start, limit := len(b), j.limits().Field
	for _, e := range j.match {
		if len(b)-start+len("; =")+len(e.name)+len(e.value) > limit {
			continue
		}
		if len(b) > start {
			b = append(b, "; "...)
		}
		b = append(append(append(b, e.name...), '='), e.value...)
		j.ticks++
		e.used = j.ticks
	}
	clear(j.match)
	return b
}

// sortEntries sorts list into the order in which cookies are sent. An insertion sort allocates nothing, and lists are short.
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

func (e *entry) expired(now time.Time) bool { return !e.expires.IsZero() && !e.expires.After(now) }

// find returns the cookie with this name, domain and path, or nil.
func (j *Jar) find(name, domain, path string) *entry {
	for _, e := range j.domains[domain] {
		if e.name == name && e.path == path {
			return e
		}
	}
	return nil
}

// put stores e. If it replaces a cookie with the same name, domain and path, it keeps that cookie's time of creation.
func (j *Jar) put(e *entry, now time.Time) {
	j.ticks++
	e.made, e.used = j.ticks, j.ticks
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

// evict removes one cookie to make room: of list, or of the whole jar if list is nil.
func (j *Jar) evict(list []*entry, now time.Time) {
	var worst *entry
	compare := func(list []*entry) {
		for _, e := range list {
			if worst == nil || e.evictedBefore(worst, now) {
				worst = e
			}
		}
	}
	if compare(list); list == nil {
		for _, l := range j.domains {
			compare(l)
		}
	}
	if worst.expired(now) {
		j.Counters.Expired++
	} else {
		j.Counters.Evicted++
	}
	j.remove(worst)
}

// evictedBefore reports whether the jar evicts e rather than f: see Limits.PerHost.
func (e *entry) evictedBefore(f *entry, now time.Time) bool {
	switch {
	case e.expired(now) != f.expired(now):
		return e.expired(now)
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

// Clear removes all cookies.
func (j *Jar) Clear() {
	j.domains, j.n, j.size = nil, 0, 0
	j.changed++
}

// parent returns the domain above d, or "".
func parent(d string) string {
	_, rest, _ := strings.Cut(d, ".")
	return rest
}

// lower returns host in lower case, without the trailing dot of an absolute name.
func lower(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
