package policy

import "strconv"

// registry holds the definitions of one section by name, and the position of each.
type registry[T any] struct {
	items map[string]defined[T]
	order []string
}

type defined[T any] struct {
	item T
	at   position
}

// define enters an item under a name that must be new; what names the kind in messages.
func (r *registry[T]) define(c *checker, what, name string, item T) {
	if old, known := r.items[name]; known {
		c.again(old.at, "duplicate "+what+", first defined", "rename or remove one of them")
		return
	}
	if r.items == nil {
		r.items = make(map[string]defined[T])
	}
	r.items[name] = defined[T]{item, c.at}
	r.order = append(r.order, name)
}

// nearest returns the defined name most like a misspelt one.
func (r *registry[T]) nearest(name string, budget *int) string {
	n := suggestion{wanted: name, budget: budget}
	for _, known := range r.order {
		if *budget <= 0 {
			break
		}
		n.offer(known)
	}
	return n.best
}

// positionOf returns where a name is defined.
func (r *registry[T]) positionOf(name string) (position, bool) {
	d, known := r.items[name]
	return d.at, known
}

// reference is the use of a name that was not defined before it.
type reference struct {
	at         position
	path       string
	name       string
	what       string // kind of thing, as in "retry scheme"
	where      string // where it is to be defined
	positionOf func(string) (position, bool)
	nearest    func(name string, budget *int) string
}

// resolve looks up a name that the current value uses. If it is not defined yet, the problem is reported when the whole
// document is known, so that the message can distinguish a later definition from none.
func resolve[T any](c *checker, r *registry[T], what, section, name string) (item T) {
	if d, known := r.items[name]; known {
		return d.item
	}
	c.postpone(reference{c.at, c.path(), name, what, strconv.Quote(section) + ", before this use", r.positionOf, r.nearest})
	return item
}

// postpone notes a reference that failed. Those that could not be listed are only counted.
func (c *checker) postpone(r reference) {
	if len(c.late) == MaxProblems {
		c.count()
		return
	}
	c.late = append(c.late, r)
}

// checkReferences reports all references that failed.
func (c *checker) checkReferences() {
	for _, r := range c.late {
		p := pending{Problem{Path: r.path}, r.at, position{}}
		if first, later := r.positionOf(r.name); later {
			p.first = first
			p.first.name = true
			p.Msg = r.what + " " + quote(r.name) + " is used before its definition"
			p.Fix = "move the definition before this use"
		} else {
			p.Msg = "no " + r.what + " is called " + quote(r.name)
			p.Fix = "define it under " + r.where
			if near := r.nearest(r.name, &c.near); near != "" {
				p.Fix = "did you mean " + strconv.Quote(near) + "?"
			}
		}
		if !c.full() {
			c.problems = append(c.problems, p)
		}
	}
}
