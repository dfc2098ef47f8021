package ss

import (
	"os"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/http/cookie"
)

// Cookies configures what streams with "http_cookies" share.
type Cookies struct {
	// Jar holds the cookies. nil: the runtime makes one, with the default limits, that keeps every cookie for
	// the host which set it. It is the loop's from then on.
	Jar *cookie.Jar
	// Store keeps them beyond the life of the process; nil: nothing does. It is read before the first request
	// that asks for cookies, and written when they have changed. See CookieFile.
	Store CookieStore
	// Every is the least time between two writings. Default 10 s.
	Every time.Duration
}

// CookieStore keeps the text of a jar. Its methods are called one at a time, away from the loop, and may block.
type CookieStore interface {
	// Load returns what was saved last, nothing if nothing was.
	Load() ([]byte, error)
	// Save replaces it: the old text stays valid until the new one is complete.
	Save(text []byte) error
}

// CookieFile is a CookieStore in a file: cookies.txt, as curl and libwebsockets have it. Nobody but its owner may
// read it.
type CookieFile string

// Load implements CookieStore.
func (f CookieFile) Load() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return b, err
}

// Save implements CookieStore: it writes another file, has it on the disk, and renames it.
func (f CookieFile) Save(text []byte) (err error) {
	t, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(t.Name())
		}
	}()
	_, err = t.Write(text)
	if err == nil {
		err = t.Sync()
	}
	if e := t.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(t.Name(), string(f))
	}
	return err
}

// cookies is the jar of a runtime, and its store.
type cookies struct {
	rt      *Runtime
	jar     *cookie.Jar
	store   CookieStore
	every   time.Duration
	loaded  bool
	loading bool
	saving  bool
	saved   uint64        // what Jar.Changed said when it was written
	at      time.Duration // when it was written last
	timer   loop.Timer
	waiting []*httpClient
	charged int // to the account
}

// jar is the runtime's cookies, made when a stream first asks for them.
func (r *Runtime) jar() *cookies {
	if r.cookies == nil {
		c := &cookies{rt: r, jar: r.cfg.Cookies.Jar, store: r.cfg.Cookies.Store, every: r.cfg.Cookies.Every}
		if c.jar == nil {
			c.jar = new(cookie.Jar)
		}
		if c.every <= 0 {
			c.every = 10 * time.Second
		}
		c.loaded = c.store == nil
		r.cookies = c
		c.charge()
	}
	return r.cookies
}

// await has a's attempt wait until the store has been read. False: it need not.
func (c *cookies) await(a *httpClient) bool {
	if c.loaded {
		return false
	}
	c.waiting = append(c.waiting, a)
	if c.loading {
		return true
	}
	c.loading = true
	var text []byte
	job := func() (err error) { text, err = c.store.Load(); return err }
	done := func(err error) {
		c.loading, c.loaded = false, true
		if err != nil {
			c.rt.log.Error("ss: the cookies could not be read; there are none until servers set them", "err", err)
		} else {
			c.jar.Load(text, c.rt.loop.System().Wall())
		}
		c.saved = c.jar.Changed()
		c.charge()
		c.rt.loop.Defer(&c.rt.task, c.rt)
	}
	if err := c.rt.loop.Offload(job, done); err != nil {
		done(err)
	}
	return true
}

// forget takes an attempt out of those that wait.
func (c *cookies) forget(a *httpClient) {
	for i, b := range c.waiting {
		if a == b {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return
		}
	}
}

// settle goes on with the attempts that waited.
func (c *cookies) settle() {
	for c.loaded && len(c.waiting) > 0 {
		a := c.waiting[0]
		c.waiting = c.waiting[1:]
		a.seek(a.t)
	}
}

// keep writes the jar when it has changed, now or when it is time.
func (c *cookies) keep() {
	if c.store == nil || !c.loaded || c.saving || c.jar.Changed() == c.saved {
		return
	}
	l := c.rt.loop
	if due := c.at + c.every; c.at > 0 && l.Now() < due && !c.rt.closed && c.rt.drain == nil {
		if !c.timer.Armed() {
			l.Arm(&c.timer, due, c)
		}
		return
	}
	l.Disarm(&c.timer)
	c.saving, c.saved, c.at = true, c.jar.Changed(), l.Now()
	text := c.jar.Save(nil, l.System().Wall())
	done := func(err error) {
		c.saving = false
		if err != nil {
			c.rt.log.Error("ss: the cookies could not be written", "err", err)
		}
		c.keep() // what has changed meanwhile
	}
	if err := l.Offload(func() error { return c.store.Save(text) }, done); err != nil {
		done(err)
	}
}

// kept says whether nothing is left to be written. c may be nil.
func (c *cookies) kept() bool {
	return c == nil || c.store == nil || !c.saving && (c.saved == c.jar.Changed() || !c.loaded)
}

// Expired implements loop.Expirer.
func (c *cookies) Expired(time.Duration) { c.keep() }

// Label implements loop.Expirer.
func (c *cookies) Label() string { return "cookies" }

// origin is where a's request goes, for the jar.
func (a *httpClient) origin(target []byte) cookie.Origin {
	o := cookie.Origin{Host: a.t.dial.Host, Path: target, Secure: a.t.tls}
	if o.Host == "" {
		o.Host = string(a.t.authority) // a Unix socket
	}
	for i, c := range target {
		if c == '?' {
			o.Path = target[:i]
			break
		}
	}
	return o
}

// addCookies appends the Cookie field that the jar has for a request. Its value is put behind text, which is
// returned. A program that sets the field itself, by metadata, is left alone.
func (a *httpClient) addCookies(m *http.Message, text []byte) []byte {
	if !a.o.h.kind.pol.HTTP.Cookies {
		return text
	}
	if _, own := m.Find(http.Cookie); own {
		return text
	}
	r := a.o.h.rt
	at := len(text)
	text = r.jar().jar.Append(text, a.origin(m.Target), r.loop.System().Wall())
	r.cookies.charge() // some may have expired
	if v := text[at:len(text):len(text)]; len(v) > 0 {
		m.Fields = append(m.Fields, http.Field{Name: nameCookie, Value: v, ID: http.Cookie})
	}
	return text
}

var nameCookie = []byte("cookie")

// takeCookies gives the jar what a response sets.
func (a *httpClient) takeCookies(m *http.Message) {
	if !a.o.h.kind.pol.HTTP.Cookies {
		return
	}
	r := a.o.h.rt
	c := r.jar()
	for i := range m.Fields {
		if f := &m.Fields[i]; f.ID == http.SetCookie {
			if err := c.jar.Set(a.origin(a.asked), f.Value, r.loop.System().Wall()); err != nil {
				r.log.Debug("ss: a cookie was refused", "stream", a.o.h.StreamType(), "host", roles.Plain(a.t.dial.Host), "err", err)
			}
		}
	}
	c.charge()
	c.keep()
}

// charge accounts for the jar, which is the runtime's and no connection's. A closed runtime holds none.
func (c *cookies) charge() {
	n := c.jar.Size()
	if c.rt.closed {
		n = 0
	}
	c.rt.loop.Account().Charge(n - c.charged)
	c.charged = n
}
