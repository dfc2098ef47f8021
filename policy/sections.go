package policy

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/valyala/fastjson"
)

// document reads the whole policy.
func (c *checker) document(root *fastjson.Value) {
	o := c.object(root, "a policy, which is an object { }")
	if o == nil {
		return
	}
	c.policy.given = walk(c, topKeys, o, c.policy)
	for _, r := range c.rides {
		if d, known := c.streams.items[r.name]; known {
			r.rider.HTTP.Rideshare = d.item
		} else {
			c.late = append(c.late, r.reference)
		}
	}
	c.judgeReferences()
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
		walk(c, retryKeys, o, r)
		if r.ValidHup > 0 && r.ValidHup <= r.ValidPing {
			standAt(c, retryKeys, o, retryKeys.find("svalidhup"), func() {
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

// maxCert is the most DER of one certificate. Today's are 1 to 3 KB; with post-quantum signatures 20.
const maxCert = 32 << 10

func (c *checker) certSection(v *fastjson.Value) {
	c.members(v, "an array of certificates, each {name: base64}", func(name string, v *fastjson.Value) {
		c.name(name)
		cert := &Cert{Name: name}
		c.certs.define(c, "certificate", name, cert)
		c.policy.Certs = append(c.policy.Certs, cert)
		if v.Type() != fastjson.TypeString {
			c.bad("wants base64 of a certificate, got "+describe(v), "")
			return
		}
		text := v.GetStringBytes()
		der, err := base64.StdEncoding.AppendDecode(nil, text)
		switch {
		case strings.Contains(string(text), "-----"):
			c.bad("a whole PEM file", "leave out its BEGIN and END lines")
		case err != nil:
			c.bad("not base64: "+err.Error(), "give what stands between the BEGIN and END lines of PEM")
		case len(der) == 0 || len(der) > maxCert:
			c.bad(fmt.Sprintf("a certificate of %d bytes", len(der)), fmt.Sprintf("1 to %d are possible", maxCert))
		default:
			cert.DER = der
		}
	})
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

// stack reads the certificate names of a trust store.
func (c *checker) stack(v *fastjson.Value) []*Cert {
	list := c.array(v, "an array of certificate names")
	if n := len(list); v.Type() == fastjson.TypeArray && (n == 0 || n > maxStack) {
		c.bad(fmt.Sprintf("a trust store of %d certificates", n), fmt.Sprintf("1 to %d are possible", maxStack))
		return nil
	}
	var stack []*Cert
	c.elements(list, func(e *fastjson.Value) {
		if e.Type() != fastjson.TypeString {
			c.bad("wants the name of a certificate, got "+describe(e), "")
		} else if cert := resolve(c, &c.certs, "certificate", "certs", string(e.GetStringBytes())); cert != nil {
			stack = append(stack, cert)
		}
	})
	return stack
}

func (c *checker) authSection(v *fastjson.Value) {
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
