package policy

import (
	"slices"
	"strconv"

	"github.com/valyala/fastjson"
)

// checker walks one document. It collects problems instead of stopping at the first.
type checker struct {
	policy   *Policy
	at       position
	names    [maxSteps]string // of the members on the way to at
	element  [maxSteps]bool   // this step is an array's element and has no name
	problems []pending
	more     int  // problems beyond those, counted up to maxCounted
	cut      bool // the limit is reached: nothing more is checked
	near     int  // what is left of nearBudget
	work     int  // steps made so far, for tests: members, cells, bytes of certificates, what keys cost

	outer, inner members // of the document, and of the object inside that is being read

	pairs  map[pairing]verdict
	paired int // bytes of DER that were parsed for them

	advise   bool // warnings are wanted
	quiet    bool // the section being read is planned as a whole, and its keys need no warning each
	warnings []pending

	retries registry[*Retry]
	certs   registry[*Cert]
	stores  registry[*TrustStore]
	auths   registry[*Auth]
	streams registry[*Stream]

	late       []reference    // names that were not defined where they were used
	rideshares []rideshareRef // resolved when all stream types are known
	cur        current        // the stream type being read
}

// pending is a problem whose place is not looked up yet.
type pending struct {
	Problem
	at    position
	first position // n is 0 when there is none
}

func newChecker() *checker { return &checker{policy: &Policy{}, near: nearBudget} }

// enter descends to the nth member of an object.
func (c *checker) enter(nth int, name string) {
	c.at.nth[c.at.n], c.names[c.at.n], c.element[c.at.n] = nth, name, false
	c.at.n++
}

// enterElement descends to the nth element of an array.
func (c *checker) enterElement(nth int) {
	c.at.nth[c.at.n], c.element[c.at.n] = nth, true
	c.at.n++
}

func (c *checker) leave() { c.at.n-- }

// path returns the JSON path of the current value.
func (c *checker) path() string {
	path := ""
	for i, name := range c.names[:c.at.n] {
		if c.element[i] {
			path += "[" + strconv.Itoa(c.at.nth[i]) + "]"
		} else {
			path = joinPath(path, name)
		}
	}
	return path
}

// bad reports a problem of the current value.
func (c *checker) bad(msg, fix string) { c.report(c.at, position{}, msg, fix) }

// badName reports a problem of its key.
func (c *checker) badName(msg, fix string) {
	at := c.at
	at.name = true
	c.report(at, position{}, msg, fix)
}

// again reports a second definition.
func (c *checker) again(first position, msg, fix string) {
	at := c.at
	at.name, first.name = true, true
	c.report(at, first, msg, fix)
}

func (c *checker) report(at, first position, msg, fix string) {
	if c.full() {
		return
	}
	c.problems = append(c.problems, pending{Problem{Path: c.path(), Msg: msg, Fix: fix}, at, first})
}

// full counts a problem that is not listed when the list is full.
func (c *checker) full() bool {
	if len(c.problems) < MaxProblems {
		return false
	}
	c.count()
	return true
}

// count notes a problem that is not listed.
func (c *checker) count() {
	if !c.cut {
		c.more++
		c.cut = len(c.problems)+len(c.late)+c.more >= maxCounted
	}
}

// warn adds a warning about the current value: legal, but probably not intended.
func (c *checker) warn(msg, fix string) { c.note(c.at, msg, fix) }

// warnName is warn for its key.
func (c *checker) warnName(msg, fix string) {
	at := c.at
	at.name = true
	c.note(at, msg, fix)
}

func (c *checker) note(at position, msg, fix string) {
	if c.advise && len(c.warnings) < MaxProblems {
		c.warnings = append(c.warnings, pending{Problem{Path: c.path(), Msg: msg, Fix: fix}, at, position{}})
	}
}

// errors returns all problems with their places.
func (c *checker) errors(doc []byte) *Errors {
	return &Errors{Problems: c.located(doc, c.problems), More: c.more, Stopped: c.cut}
}

// located looks up where in doc each of list is, and returns them in the order of the text.
func (c *checker) located(doc []byte, list []pending) []Problem {
	if len(list) == 0 {
		return nil
	}
	s := scanner{doc: doc}
	s.document()
	positions := make([]position, 0, 2*len(list))
	for _, p := range list {
		positions = append(positions, p.at, p.first)
	}
	for i, place := range places(doc, s.findAll(positions)) {
		p := &list[i/2]
		switch {
		case i%2 == 0:
			p.Line, p.Col = place.Line, place.Col
		case p.first.n > 0:
			p.First = place
		}
	}
	c.work += len(s.nodes) + s.steps
	slices.SortStableFunc(list, func(a, b pending) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	found := make([]Problem, 0, len(list))
	for _, p := range list {
		found = append(found, p.Problem)
	}
	return found
}

// object returns v as an object, or reports that it is not one.
func (c *checker) object(v *fastjson.Value, what string) *fastjson.Object {
	if v.Type() != fastjson.TypeObject {
		c.bad("wants "+what+", got "+describe(v), "")
		return nil
	}
	return v.GetObject()
}

// array returns v as an array, or reports that it is not one.
func (c *checker) array(v *fastjson.Value, what string) []*fastjson.Value {
	if v.Type() != fastjson.TypeArray {
		fix := ""
		if v.Type() == fastjson.TypeObject {
			fix = "put [ ] around it"
		}
		c.bad("wants "+what+", got "+describe(v), fix)
		return nil
	}
	return v.GetArray()
}

// members calls f with each member of each object of an array of objects, the shape of most sections.
// f detects duplicate names.
func (c *checker) members(v *fastjson.Value, what string, f func(name string, v *fastjson.Value)) {
	c.elements(c.array(v, what), func(e *fastjson.Value) {
		if o := c.object(e, "an object with a name and its value"); o != nil {
			c.each(o, f)
		}
	})
}

// elements calls f with each element of an array, which is the current value then. Like each it stops working when maxCounted
// problems have been found, since no more are reported.
func (c *checker) elements(list []*fastjson.Value, f func(e *fastjson.Value)) {
	for i, e := range list {
		if c.cut {
			return
		}
		c.work++
		c.enterElement(i)
		f(e)
		c.leave()
	}
}

// each calls f with each member of an object, which is the current value then.
func (c *checker) each(o *fastjson.Object, f func(name string, v *fastjson.Value)) {
	nth := 0
	o.Visit(func(k []byte, v *fastjson.Value) {
		if c.cut {
			return
		}
		c.work++
		name := string(k)
		c.enter(nth, name)
		f(name, v)
		c.leave()
		nth++
	})
}

// name checks a name that the document gives to something.
func (c *checker) name(name string) bool {
	if wrong := nameForm.check(name); wrong != "" {
		c.badName(wrong, nameForm.fix)
		return false
	}
	return true
}

// describe names a value in a message: its type, and enough of it to recognise.
func describe(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeString:
		return "the string " + quote(string(v.GetStringBytes()))
	case fastjson.TypeNumber:
		return "the number " + raw(v)
	case fastjson.TypeObject:
		return "an object"
	case fastjson.TypeArray:
		return "an array"
	case fastjson.TypeNull:
		return "null"
	}
	return v.Type().String()
}

// raw returns a number as the document spells it, cut where it is absurdly long.
func raw(v *fastjson.Value) string {
	b := v.MarshalTo(nil)
	if len(b) > 40 {
		return string(b[:40]) + "..."
	}
	return string(b)
}
