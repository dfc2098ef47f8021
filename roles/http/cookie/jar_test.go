package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// suffixes is a small public suffix list.
type suffixes struct{}

func (suffixes) PublicSuffix(domain string) string {
	for _, s := range []string{"co.uk", "github.io"} {
		if domain == s || strings.HasSuffix(domain, "."+s) {
			return s
		}
	}
	return domain[strings.LastIndexByte(domain, '.')+1:]
}

func (suffixes) String() string { return "a few, for tests" }

var epoch = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// origin returns the Origin of a URL.
func origin(t testing.TB, s string) Origin {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return Origin{Host: u.Hostname(), Path: []byte(path), Secure: u.Scheme == "https"}
}

// visit makes one step of a test: "url" returns the cookies for a request to url, "url < cookie" sets a cookie from url.
func visit(t testing.TB, j *Jar, step string, now time.Time) (string, error) {
	t.Helper()
	where, set, ok := strings.Cut(step, " < ")
	if ok {
		return "", j.Set(origin(t, where), []byte(set), now)
	}
	return string(j.Append(nil, origin(t, where), now)), nil
}

// TestSetAndAppend checks the rules of RFC 6265. A step is "url < cookie", with " ! error" if Set refuses it,
// "url = cookies" for what Append must return, or "+duration" to let time pass.
func TestSetAndAppend(t *testing.T) {
	for _, c := range []struct {
		name    string
		domains bool // the jar has a public suffix list
		steps   []string
	}{
		{"host and path", false, []string{
			"http://a.example/x/y < k=1",
			"http://a.example/x/ = k=1", "http://a.example/x = k=1", "http://a.example/x/z/w = k=1",
			"http://a.example/xy = ", "http://a.example/ = ", "http://b.example/x/ = ", "http://www.a.example/x/ = ", "http://example/x = ",
		}},
		{"default path", false, []string{
			"http://h < a=1", "http://h/one < b=1", "http://h/one/ < c=1", "http://h/one/two < d=1",
			"http://h/ = a=1; b=1", "http://h/one = c=1; d=1; a=1; b=1",
		}},
		{"longest path first, then oldest", false, []string{
			"http://h/ < a=1; Path=/", "http://h/ < b=1; Path=/x", "http://h/ < c=1; path=/", "http://h/ < d=1; PATH=/x/y",
			"http://h/x/y = d=1; b=1; a=1; c=1",
			"http://h/ < a=2; Path=/", "http://h/x/y = d=1; b=1; a=2; c=1",
		}},
		{"Path without a leading slash", false, []string{"http://h/x/y < a=1; Path=z", "http://h/x/ = a=1", "http://h/ < b=1; Path", "http://h/ = b=1"}},
		{"Domain without a suffix list is ignored", false, []string{
			"http://www.a.example/ < a=1; Domain=a.example", "http://www.a.example/ = a=1", "http://a.example/ = ",
			"http://www.a.example/ < b=1; Domain=b.example ! domain", "http://www.a.example/ < b=1; Domain=x.www.a.example ! domain",
		}},
		{"Domain", true, []string{
			"http://www.a.example/ < a=1; Domain=.a.example", "http://a.example/ = a=1", "http://x.y.a.example/ = a=1", "http://ba.example/ = ",
			"http://www.a.example/ < c=1; Domain=example ! domain", "http://x.co.uk/ < d=1; Domain=co.uk ! domain",
			"http://co.uk/ < d=1; Domain=co.uk", "http://co.uk/ = d=1", "http://x.co.uk/ = ",
			"http://A.EXAMPLE/ < e=1; DOMAIN=A.Example", "http://z.a.example/ = a=1; e=1",
			"http://a.example/ < f=1; Domain=", "http://a.example/ = a=1; e=1; f=1", "http://x.a.example/ = a=1; e=1",
		}},
		{"addresses have no domains", true, []string{
			"http://10.0.0.1/ < a=1; Domain=0.0.1 ! domain", "http://10.0.0.1/ < a=1; Domain=10.0.0.1", "http://10.0.0.1/ = a=1", "http://9.10.0.0.1/ = ",
			"http://[::1]/ < b=1", "http://[::1]/ = b=1",
		}},
		{"Secure", false, []string{
			"https://h/ < a=1; Secure", "http://h/ = ", "https://h/ = a=1", "http://h/ < b=1; secure ! secure",
			"http://h/ < a=2 ! secure", "http://h/ < a=2; Path=/x ! secure", "https://h/ < a=2", "http://h/ = a=2",
		}},
		{"an insecure origin does not shadow a Secure cookie of a shared domain", true, []string{
			"https://b.a.example/ < k=1; Secure; Path=/x", "http://c.a.example/ < k=2; Domain=a.example; Path=/x ! secure",
			"http://z.b.a.example/ < k=2; Path=/x/y ! secure", "http://b.a.example/ < k=; Path=/x; Max-Age=0 ! secure",
			"http://c.a.example/ < k=2; Path=/x", "http://b.a.example/ < k=2; Path=/", "http://b.a.example/ < m=2; Path=/x",
			"https://b.a.example/x = k=1; m=2; k=2",
		}},
		{"prefixes", true, []string{
			"https://h/ < __Secure-a=1; Secure", "https://h/ < __Secure-b=1 ! secure", "https://h/ < __secure-b=1 ! secure",
			"https://h/ < __Host-a=1; Secure; Path=/", "https://h/ < __Host-b=1; Secure ! secure", "https://h/ < __Host-b=1; Path=/ ! secure",
			"https://h/ < __Host-b=1; Secure; Path=/; Domain=h ! secure", "https://h/ < __Host-b=1; Secure; Path=/x ! secure",
			"https://h/ = __Secure-a=1; __Host-a=1",
		}},
		{"expiry", false, []string{
			"http://h/ < a=1; Max-Age=60", "http://h/ < b=1; Expires=Fri, 27 Nov 2026 12:02:00 GMT", "http://h/ < c=1",
			"http://h/ < d=1; Max-Age=60; Expires=Fri, 27 Nov 2026 13:00:00 GMT", "http://h/ < e=1; Expires=Fri, 27 Nov 2020 12:00:00 GMT; Max-Age=600",
			"http://h/ < f=1; Max-Age=x", "http://h/ = a=1; b=1; c=1; d=1; e=1; f=1",
			"+59s", "http://h/ = a=1; b=1; c=1; d=1; e=1; f=1", "+1s", "http://h/ = b=1; c=1; e=1; f=1", "+1m", "http://h/ = c=1; e=1; f=1",
			"http://h/ < c=; Max-Age=0", "http://h/ = e=1; f=1", "http://h/ < e=; Max-Age=-5", "http://h/ < f=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://h/ = ",
			"http://h/ < g=1; Max-Age=99999999999999999999", "+9600h", "http://h/ = ",
		}},
		{"syntax", false, []string{
			"http://h/ <  a = 1 ; Path = / ", "http://h/ < b=\"q; x\"", "http://h/ < c=x=y=z", "http://h/ < d=", "http://h/ = a=1; b=\"q; c=x=y=z; d=",
			"http://h/ < nothing ! syntax", "http://h/ < =1 ! syntax", "http://h/ < ;Path=/ ! syntax", "http://h/ < e=1\x01 ! syntax", "http://h/ < e=1\t1 ! syntax", "http://h/ < e=1; Path=/\t ! syntax", "http://h/ < e=1; Path=/\x7f ! syntax",
			"http://h/ < big=" + strings.Repeat("x", 4094) + " ! size", "http://h/ < f=1; Domain=" + strings.Repeat("x", 1025), "http://h/ < g=1; SameSite=None; Unheard; =",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j Jar
			if c.domains {
				j.Suffixes = suffixes{}
			}
			now := epoch
			for _, step := range c.steps {
				if d, ok := strings.CutPrefix(step, "+"); ok {
					dur, err := time.ParseDuration(d)
					if err != nil {
						t.Fatal(err)
					}
					now = now.Add(dur)
					continue
				}
				do, refused, _ := strings.Cut(step, " ! ")
				want, asks := "", false
				if !strings.Contains(do, " < ") {
					do, want, asks = strings.Cut(do, " = ")
				}
				got, err := visit(t, &j, do, now)
				if asks && got != want {
					t.Errorf("Append for %s: got %q, want %q", do, got, want)
				}
				named := map[string]error{"": nil, "domain": ErrDomain, "secure": ErrSecure, "syntax": ErrSyntax, "size": ErrSize}
				if e, ok := named[refused]; !ok || !errors.Is(err, e) {
					t.Errorf("Set %.60s: got error %v, want %q", do, err, refused)
				}
			}
		})
	}
}

// TestLimits: a full jar evicts expired cookies first, then the least recently used.
func TestLimits(t *testing.T) {
	j := Jar{Limits: Limits{PerHost: 3, Total: 5}}
	must := func(step, want string) {
		t.Helper()
		if got, err := visit(t, &j, step, epoch.Add(2*time.Second)); err != nil || got != want {
			t.Errorf("step %s: got %q, %v; want %q", step, got, err, want)
		}
	}
	visit(t, &j, "http://h/ < a=1; Max-Age=1", epoch)
	visit(t, &j, "http://h/ < b=1; Path=/x", epoch)
	visit(t, &j, "http://h/ < c=1", epoch)
	must("http://h/ < d=1", "") // a has expired
	must("http://h/x", "b=1; c=1; d=1")
	must("http://h/", "c=1; d=1")
	must("http://h/ < e=1", "") // b is the least recently used
	must("http://h/x", "c=1; d=1; e=1")
	for i := range 10 {
		must(fmt.Sprintf("http://h%d/ < k=%d", i, i), "")
	}
	if j.Len() != 5 {
		t.Errorf("Len: got %d, want 5", j.Len())
	}
	must("http://h9/", "k=9")
	must("http://h0/", "")
	if c := j.Counters; c.Evicted == 0 || c.Expired != 1 {
		t.Errorf("counters: got %+v, want Expired 1 and Evicted above 0", c)
	}
}

// TestInsecureCookiesEvictNoSecureOnes: many cookies from origins without TLS evict no Secure cookie as long as the jar
// has others.
func TestInsecureCookiesEvictNoSecureOnes(t *testing.T) {
	j := Jar{Limits: Limits{PerHost: 3, Total: 4}}
	visit(t, &j, "https://h/ < a=1; Secure", epoch)
	visit(t, &j, "https://g/ < b=1; Secure", epoch)
	for i := range 10 {
		visit(t, &j, fmt.Sprintf("http://h/ < k%d=1", i), epoch)
		visit(t, &j, fmt.Sprintf("http://h%d/ < k=1", i), epoch)
	}
	for step, want := range map[string]string{"https://h/": "a=1", "https://g/": "b=1", "http://h9/": "k=1"} {
		if got, _ := visit(t, &j, step, epoch); !strings.HasPrefix(got, want) {
			t.Errorf("Append for %s: got %q, want it to start with %q", step, got, want)
		}
	}
}

// TestFieldLimit: Append leaves out a cookie that does not fit, and goes on with shorter ones.
func TestFieldLimit(t *testing.T) {
	j := Jar{Limits: Limits{Field: 16}}
	for _, step := range []string{"http://h/ < a=1", "http://h/x/ < b=123456789012345", "http://h/x/ < c=1"} {
		visit(t, &j, step, epoch)
	}
	if got, _ := visit(t, &j, "http://h/x/y", epoch); got != "c=1; a=1" {
		t.Errorf("Append with Limits.Field 16: got %q, want %q", got, "c=1; a=1")
	}
	j = Jar{}
	for i := range 5 {
		visit(t, &j, fmt.Sprintf("http://h/ < k%d=%s", i, strings.Repeat("x", 4000)), epoch)
	}
	if got, _ := visit(t, &j, "http://h/", epoch); len(got) > 8<<10 || !strings.HasPrefix(got, "k0=") {
		t.Errorf("Append with the default limits: got %d bytes, want at most 8 KiB that start with k0=", len(got))
	}
}

// TestLoadChecksLikeSet: a line of a file gets no more rights than a Set-Cookie field of a server.
func TestLoadChecksLikeSet(t *testing.T) {
	for _, c := range []struct {
		line  string
		known bool // the jar has a public suffix list
		bad   uint64
		ask   string
		want  string
	}{
		{".a.example\tTRUE\t/\tFALSE\t0\tk\tv", true, 0, "http://x.a.example/", "k=v"},
		{".a.example\tTRUE\t/\tFALSE\t0\tk\tv", false, 0, "http://x.a.example/", ""},
		{".a.example\tTRUE\t/\tFALSE\t0\tk\tv", false, 0, "http://a.example/", "k=v"},
		{".co.uk\tTRUE\t/\tFALSE\t0\tk\tv", true, 1, "http://x.co.uk/", ""},
		{"10.0.0.1\tTRUE\t/\tFALSE\t0\tk\tv", true, 0, "http://9.10.0.0.1/", ""},
		{"h\tFALSE\t/\tFALSE\t0\t__Secure-k\tv", false, 1, "https://h/", ""},
		{"h\tFALSE\t/x\tTRUE\t0\t__Host-k\tv", false, 1, "https://h/x", ""},
		{"h\tFALSE\t/\tTRUE\t0\t__Host-k\tv", false, 0, "https://h/", "__Host-k=v"},
		{"h\tmaybe\t/\tFALSE\t0\tk\tv", false, 1, "http://h/", ""},
		{"h\tFALSE\t/\tmaybe\t0\tk\tv", false, 1, "http://h/", ""},
		{"h\tFALSE\t/" + strings.Repeat("x", 1024) + "\tFALSE\t0\tk\tv", false, 1, "http://h/", ""},
	} {
		var j Jar
		if c.known {
			j.Suffixes = suffixes{}
		}
		j.Load([]byte(c.line), epoch)
		if got, _ := visit(t, &j, c.ask, epoch); got != c.want || j.Counters.BadLines != c.bad {
			t.Errorf("Load of %.60q: a request to %s has %q, %d bad lines; want %q, %d", c.line, c.ask, got, j.Counters.BadLines, c.want, c.bad)
		}
	}
}

// TestSaveAndLoad: a jar that loads what another has saved sends the same cookies.
func TestSaveAndLoad(t *testing.T) {
	j := Jar{Suffixes: suffixes{}}
	for _, s := range []string{
		"https://www.a.example/p/q < a=1; Max-Age=600; HttpOnly; Secure", "http://www.a.example/ < b=x y; Domain=a.example; Max-Age=600",
		"http://www.a.example/ < session=1", "http://www.a.example/ < c=; Max-Age=60", "http://b.example/ < d=1; Expires=Fri, 27 Nov 2026 12:02:00 GMT",
	} {
		if _, err := visit(t, &j, s, epoch); err != nil {
			t.Fatal(s, err)
		}
	}
	text := string(j.Save(nil, epoch))
	const want = fileHead +
		"#HttpOnly_www.a.example\tFALSE\t/p\tTRUE\t1795781400\ta\t1\n" +
		".a.example\tTRUE\t/\tFALSE\t1795781400\tb\tx y\n" +
		"www.a.example\tFALSE\t/\tFALSE\t1795780860\tc\t\n" +
		"b.example\tFALSE\t/\tFALSE\t1795780920\td\t1\n"
	if text != want {
		t.Errorf("Save: got\n%s\nwant\n%s", text, want)
	}
	k := Jar{Suffixes: suffixes{}}
	bad := "no tabs\na\tb\nh\tFALSE\tx\tFALSE\t1\ta\tb\nh\tFALSE\t/\tFALSE\tsoon\ta\tb\nh\tFALSE\t/\tFALSE\t9999999999\ta=b\tc\n"
	k.Load([]byte("# a comment\r\n\r\n"+bad+strings.ReplaceAll(text, "\n", "\r\n")), epoch)
	if k.Counters.BadLines != 5 {
		t.Errorf("BadLines after Load: got %d, want 5", k.Counters.BadLines)
	}
	if k.Changed() != 0 {
		t.Errorf("Changed after Load: got %d, want 0", k.Changed())
	}
	for _, u := range []string{"https://www.a.example/p/x", "http://www.a.example/p/", "http://z.a.example/", "http://b.example/"} {
		got, _ := visit(t, &k, u, epoch)
		want, _ := visit(t, &j, u, epoch)
		if want = strings.ReplaceAll(want, "; session=1", ""); got != want {
			t.Errorf("Append for %s after Load: got %q, want %q", u, got, want)
		}
	}
	if again := string(k.Save(nil, epoch)); again != text {
		t.Errorf("Save after Load: got\n%s\nwant\n%s", again, text)
	}
	// A cookie that the jar has already is newer than the file.
	l := Jar{}
	visit(t, &l, "http://b.example/ < d=new; Max-Age=600", epoch)
	l.Load([]byte(text), epoch)
	if got, _ := visit(t, &l, "http://b.example/", epoch); got != "d=new" {
		t.Errorf("Load replaced a cookie that the jar had: got %q, want %q", got, "d=new")
	}
}

// TestOracle compares the jar with net/http/cookiejar.
func TestOracle(t *testing.T) {
	hosts := []string{"http://a.example", "https://a.example", "https://www.a.example", "http://x.co.uk", "http://10.0.0.1", "http://b.github.io"}
	paths := []string{"", "/", "/x", "/x/", "/x/y"}
	sets := []string{"k=1", "k=2; Path=/", "k=3; Path=/x", "m=1; Domain=a.example", "m=2; Domain=.a.example; Path=/x/y", "n=1; Max-Age=0", "k=; Max-Age=-1",
		"p=1; Max-Age=100", "q=1; Expires=Fri, 27 Nov 2026 12:00:30 GMT", "r=1; Domain=co.uk", "s=1; Domain=x.co.uk", "t=1; Domain=10.0.0.1", "u=1; HttpOnly", "v=1; Path=x"}
	// Secure cookies are not compared: net/http accepts them from origins without TLS.
	for seed := range uint64(3000) {
		j := Jar{Suffixes: suffixes{}}
		o, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: suffixes{}})
		if err != nil {
			t.Fatal(err)
		}
		r := seed*0x9e3779b97f4a7c15 + 1
		pick := func(n int) int { r ^= r << 13; r ^= r >> 7; r ^= r << 17; return int(r % uint64(n)) }
		var story []string
		for range 12 {
			u := hosts[pick(len(hosts))] + paths[pick(len(paths))]
			set := sets[pick(len(sets))]
			if strings.Contains(set, "Expires") {
				continue // net/http's jar reads its own clock
			}
			story = append(story, u+" < "+set)
			at, _ := url.Parse(u)
			h := http.Header{"Set-Cookie": {set}}
			o.SetCookies(at, (&http.Response{Header: h}).Cookies())
			j.Set(origin(t, u), []byte(set), time.Now())
			ask := hosts[pick(len(hosts))] + paths[pick(len(paths))]
			at, _ = url.Parse(ask)
			var want []string
			for _, c := range o.Cookies(at) {
				want = append(want, c.Name+"="+c.Value)
			}
			got, _ := visit(t, &j, ask, time.Now())
			if got != strings.Join(want, "; ") {
				t.Fatalf("seed %d: %s\n got  %q\n want %q\n after\n  %s", seed, ask, got, strings.Join(want, "; "), strings.Join(story, "\n  "))
			}
		}
	}
}

// TestAppendAllocatesNothing: a request with cookies costs no allocation.
func TestAppendAllocatesNothing(t *testing.T) {
	var j Jar
	visit(t, &j, "http://h.example/ < a=1; Max-Age=60", epoch)
	visit(t, &j, "http://h.example/ < b=1", epoch)
	o := origin(t, "http://h.example/x")
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { b = j.Append(b[:0], o, epoch) }); n != 0 || string(b) != "a=1; b=1" {
		t.Errorf("Append: %v allocations, %q; want 0, %q", n, b, "a=1; b=1")
	}
}
