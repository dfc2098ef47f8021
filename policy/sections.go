package policy

import (
	"fmt"
	"time"

	"github.com/valyala/fastjson"
)

// document reads the whole policy.
func (c *checker) document(root *fastjson.Value) {
	o := c.object(root, "a policy, which is an object { }")
	if o == nil {
		return
	}
	m := walk(c, topKeys, o, c.policy)
	if c.policy.ViaSocks5 != "" {
		c.atMember(m, topKeys.find("via-socks5"), func() {
			c.warn("SOCKS5 is read and checked, but not implemented yet: client streams over TCP are refused when they are created", "")
		})
	}
	for _, r := range c.rideshares {
		if d, known := c.streams.items[r.name]; known {
			r.rider.HTTP.Rideshare = d.item
		} else {
			c.postpone(r.reference)
		}
	}
	c.checkReferences()
	c.policy.byName = make(map[string]*Stream, len(c.policy.Streams))
	for _, s := range c.policy.Streams {
		c.policy.byName[s.Name] = s
	}
}

func (c *checker) retrySection(v *fastjson.Value) {
	c.members(v, "an array of retry schemes, each {name: {...}}", func(name string, v *fastjson.Value) {
		c.name(name)
		r := &Retry{Name: name, JitterPC: defaultJitter, Backoff: DefaultRetry.Backoff}
		c.retries.define(c, "retry scheme", name, r)
		c.policy.Retries = append(c.policy.Retries, r)
		o := c.object(v, "a retry scheme, which is an object")
		if o == nil {
			return
		}
		m := walk(c, retryKeys, o, r)
		if r.ValidHup > 0 && r.ValidHup <= r.ValidPing {
			c.atMember(m, retryKeys.find("svalidhup"), func() {
				c.bad(fmt.Sprintf("%d s is no longer than svalidping, so a probe could never be answered in time", r.ValidHup/time.Second),
					"make it longer than svalidping")
			})
		}
	})
}

func (c *checker) backoff(r *Retry, v *fastjson.Value) {
	list := c.array(v, "an array of milliseconds")
	if len(list) == 0 {
		if v.Type() == fastjson.TypeArray {
			c.bad("no delay in it", "give at least one, in milliseconds")
		}
		return
	}
	if len(list) > maxBackoffs {
		c.bad(fmt.Sprintf("%d delays are more than %d", len(list), maxBackoffs), "the last delay is repeated, so drop the tail")
		return
	}
	delays := make([]time.Duration, 0, len(list))
	c.elements(list, func(e *fastjson.Value) {
		if n, ok := c.integer(e, 1, uint64(maxBackoff/time.Millisecond), "ms"); ok {
			delays = append(delays, time.Duration(n)*time.Millisecond)
		}
	})
	r.Backoff = delays
}

func (c *checker) storeSection(v *fastjson.Value) {
	c.list(v, `an array of trust stores, each {"name": ..., "stack": [...]} or {name: [...]}`, func(o *fastjson.Object) {
		if o.Get("name") == nil && o.Get("stack") == nil {
			c.each(o, func(name string, v *fastjson.Value) {
				c.name(name)
				c.store(name, c.stack(v))
			})
			return
		}
		var entry storeEntry
		walk(c, storeKeys, o, &entry)
		if entry.name != "" {
			c.store(entry.name, entry.stack)
		}
	})
}

func (c *checker) store(name string, stack []*Cert) {
	s := &TrustStore{name, stack}
	c.stores.define(c, "trust store", name, s)
	c.policy.TrustStores = append(c.policy.TrustStores, s)
}

func (c *checker) authSection(v *fastjson.Value) {
	c.quiet = true
	defer func() { c.quiet = false }()
	c.list(v, "an array of auth schemes", func(o *fastjson.Object) {
		a := &Auth{Blob: -1}
		walk(c, authKeys, o, a)
		if a.Name != "" {
			c.auths.define(c, "auth scheme", a.Name, a)
		}
		c.policy.Auths = append(c.policy.Auths, a)
	})
}

func (c *checker) metricSection(v *fastjson.Value) {
	c.quiet = true
	defer func() { c.quiet = false }()
	c.list(v, "an array of metrics", func(o *fastjson.Object) {
		m := &Metric{}
		walk(c, metricKeys, o, m)
		c.policy.Metrics = append(c.policy.Metrics, m)
	})
}

// list calls f with each object of an array.
func (c *checker) list(v *fastjson.Value, what string, f func(o *fastjson.Object)) {
	c.elements(c.array(v, what), func(e *fastjson.Value) {
		if o := c.object(e, "an object with named members"); o != nil {
			f(o)
		}
	})
}
