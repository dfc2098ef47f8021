package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// members are the keys of one object: which it has, and where.
type members struct {
	given keySet
	nth   [maxRows]int    // ordinal of the first member that is this row
	name  [maxRows]string // and which of its names that has
}

// walk reads an object by its table of keys into dst and returns which keys it has; what it returns is valid
// until the next object is walked. Every member is looked at, also a second one of the same name, so that one
// run reports everything.
func walk[T any](c *checker, t *table[T], o *fastjson.Object, dst *T) *members {
	m := &c.inner
	if t.name == topName {
		m = &c.outer
	}
	m.given = keySet{}
	nth := 0
	c.each(o, func(name string, v *fastjson.Value) {
		here := nth
		nth++
		i := t.find(name)
		if i < 0 {
			c.unknown(t.name, t.keys, name, v)
			return
		}
		r := &t.rows[i]
		if m.given.has(i) {
			at := c.at
			at.nth[at.n-1] = m.nth[i]
			msg := "duplicate key " + quote(name) + ", first given"
			if m.name[i] != name {
				msg = "duplicate key: another name of " + quote(m.name[i]) + ", first given"
			}
			c.again(at, msg, "remove one of them")
		} else {
			m.given.add(i)
			m.nth[i], m.name[i] = here, name
		}
		if r.status() == planned && !c.quiet {
			c.warnName("read and checked, but this release does not act on it yet", "")
		}
		if v, ok := c.typed(&r.key, v); ok {
			r.put(c, dst, v)
		}
	})
	for i := range t.rows {
		if t.rows[i].must && !m.given.has(i) {
			c.bad(strconv.Quote(t.rows[i].name)+" is missing", "add it")
		}
	}
	return m
}

// atMember calls f with the first member that is row i of its table as the current value; the object if there is none.
func (c *checker) atMember(m *members, i int, f func()) {
	if !m.given.has(i) {
		f()
		return
	}
	c.enter(m.nth[i], m.name[i])
	f()
	c.leave()
}

// unknown reports a key that its object cannot have.
func (c *checker) unknown(table string, keys func() []*key, name string, v *fastjson.Value) {
	fix := "remove it; docs/policy.md lists the keys there are"
	for _, s := range scopes {
		for _, k := range s.keys {
			if s.name != table && k.name == name {
				fix = "it belongs in " + strconv.Quote(s.name) + " objects, see docs/policy.md"
			}
		}
	}
	for _, fits := range [...]bool{true, false} { // "prot" is "protocol" before a string, "port" before a number
		n := suggestion{wanted: name, budget: &c.near}
		for _, k := range keys() {
			if k.fits(v) == fits {
				n.offer(k.name)
				for _, alias := range k.alias {
					n.offer(alias)
				}
			}
		}
		if n.best != "" {
			fix = "did you mean " + strconv.Quote(n.best) + "?"
			break
		}
	}
	c.badName("unknown key "+quote(name), fix)
}

// fits reports whether v is of the JSON type that the key takes.
func (k *key) fits(v *fastjson.Value) bool {
	switch v.Type() {
	case fastjson.TypeString:
		return k.kind == kindText || k.kind == kindTemplate || k.kind == kindName || k.kind == kindRefs
	case fastjson.TypeNumber:
		return k.kind == kindInt
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return k.kind == kindBool
	case fastjson.TypeArray:
		return k.kind >= kindDelays
	}
	return false
}

// typed checks that v has the type of its row, and reports if it does not.
func (c *checker) typed(k *key, v *fastjson.Value) (value, bool) {
	out := value{key: k, json: v}
	if v.Type() == fastjson.TypeNull {
		c.bad("null is not a value", "leave the key out")
		return out, false
	}
	switch k.kind {
	case kindBool:
		out.on = v.Type() == fastjson.TypeTrue
		if v.Type() == fastjson.TypeNumber && (raw(v) == "0" || raw(v) == "1") { // as in policies that devices have
			out.on = raw(v) == "1"
			c.warn("the number "+raw(v)+" is read as "+strconv.FormatBool(out.on), "write "+strconv.FormatBool(out.on))
			break
		}
		if !out.on && v.Type() != fastjson.TypeFalse {
			c.bad("wants true or false, got "+describe(v), "write true or false, without quotes")
			return out, false
		}
	case kindInt:
		n, ok := c.integer(v, k.min, k.max, k.unit)
		out.num = n
		return out, ok
	case kindText, kindTemplate, kindName:
		if v.Type() != fastjson.TypeString {
			fix := ""
			if v.Type() == fastjson.TypeNumber {
				fix = "put it in double quotes"
			}
			c.bad("wants a string, got "+describe(v), fix)
			return out, false
		}
		out.text = string(v.GetStringBytes())
		return out, c.spelled(k, out.text)
	case kindRefs:
		if v.Type() == fastjson.TypeString {
			break
		}
		n := uint64(len(c.array(v, "a name, or an array of names")))
		if v.Type() == fastjson.TypeArray && (n < k.min || n > k.max) {
			c.bad(fmt.Sprintf("%d names", n), fmt.Sprintf("%d to %d are possible", k.min, k.max))
		}
		return out, n >= k.min && n <= k.max
	case kindIgnored:
		c.array(v, "an array")
	}
	return out, true
}

// spelled checks the text of a string value against the constraints of its row. Templates are checked later, part by
// part.
func (c *checker) spelled(k *key, text string) bool {
	if d, no := k.denied[text]; no {
		c.bad(d.why, d.fix)
		return false
	}
	if k.values != nil {
		n := suggestion{wanted: text, budget: &c.near}
		for _, known := range k.values {
			if known == text {
				return true
			}
			n.offer(known)
		}
		fix := "want one of " + strings.Join(k.values, ", ")
		if n.best != "" {
			fix = "did you mean " + strconv.Quote(n.best) + "?"
		}
		c.bad("unknown "+k.name+" "+quote(text), fix)
		return false
	}
	if k.form == nil || k.kind == kindTemplate && text != "" {
		return true
	}
	if wrong := k.form.check(text); wrong != "" {
		c.bad("not a "+k.form.name+": "+wrong, k.form.fix)
		return false
	}
	return true
}

// integer returns v as a whole number within a range, or reports that it is not one.
func (c *checker) integer(v *fastjson.Value, least, most uint64, unit string) (uint64, bool) {
	wants := "wants a whole number from " + strconv.FormatUint(least, 10) + " to " + strconv.FormatUint(most, 10)
	if unit != "" {
		wants += " (" + unit + ")"
	}
	if v.Type() != fastjson.TypeNumber {
		fix := ""
		if _, err := strconv.ParseUint(string(v.GetStringBytes()), 10, 64); err == nil {
			fix = "write it without quotes"
		}
		c.bad(wants+", got "+describe(v), fix)
		return 0, false
	}
	n, err := strconv.ParseUint(string(v.MarshalTo(nil)), 10, 64)
	if err != nil || n < least || n > most {
		fix := ""
		if errors.Is(err, strconv.ErrSyntax) && v.GetFloat64() >= 0 {
			fix = "write it in digits alone, without point or exponent"
		}
		c.bad(wants+", got "+raw(v), fix)
		return 0, false
	}
	return n, true
}
