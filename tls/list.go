package tls

// links are the part of an element by which it stands in a list: embedded in it, so that adding and removing
// allocate nothing.
type links[T any] struct{ prev, next *T }

func (k *links[T]) linked() *links[T] { return k }

// linked is a pointer to an element that embeds links.
type linked[T any] interface {
	*T
	linked() *links[T]
}

// list is a queue of elements. Each is in one list at most.
type list[T any, P linked[T]] struct {
	first, last *T
	n           int
}

// add puts e, which is in no list, at the end.
func (l *list[T, P]) add(e *T) {
	P(e).linked().prev = l.last
	if l.last == nil {
		l.first = e
	} else {
		P(l.last).linked().next = e
	}
	l.last = e
	l.n++
}

// remove takes e, which is in l, out.
func (l *list[T, P]) remove(e *T) {
	k := P(e).linked()
	if k.prev == nil {
		l.first = k.next
	} else {
		P(k.prev).linked().next = k.next
	}
	if k.next == nil {
		l.last = k.prev
	} else {
		P(k.next).linked().prev = k.prev
	}
	*k = links[T]{}
	l.n--
}
