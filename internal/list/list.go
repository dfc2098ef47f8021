package list

// Links is embedded in an element of a List.
type Links[T any] struct{ prev, next *T }

// Linked returns the links; it makes an element usable by a List.
func (k *Links[T]) Linked() *Links[T] { return k }

// Element is a pointer to a type that embeds Links.
type Element[T any] interface {
	*T
	Linked() *Links[T]
}

// List is a list of *T: List[T, *T].
type List[T any, P Element[T]] struct {
	first, last *T
	n           int
}

// First returns the first element, nil if there is none.
func (l *List[T, P]) First() *T { return l.first }

// Last returns the last element, nil if there is none.
func (l *List[T, P]) Last() *T { return l.last }

// Len returns the number of elements.
func (l *List[T, P]) Len() int { return l.n }

// Next returns the element after e, which is in l; nil after the last.
func (l *List[T, P]) Next(e *T) *T { return P(e).Linked().next }

// Prev returns the element before e, which is in l; nil before the first.
func (l *List[T, P]) Prev(e *T) *T { return P(e).Linked().prev }

// PushBack adds e, which is in no list, at the end.
func (l *List[T, P]) PushBack(e *T) { l.InsertAfter(e, l.last) }

// PushFront adds e, which is in no list, at the front.
func (l *List[T, P]) PushFront(e *T) { l.InsertAfter(e, nil) }

// InsertAfter adds e, which is in no list, after mark, which is in l; nil means at the front.
func (l *List[T, P]) InsertAfter(e, mark *T) {
	k := P(e).Linked()
	k.prev = mark
	if mark == nil {
		k.next, l.first = l.first, e
	} else {
		m := P(mark).Linked()
		k.next, m.next = m.next, e
	}
	if k.next == nil {
		l.last = e
	} else {
		P(k.next).Linked().prev = e
	}
	l.n++
}

// Remove removes e, which is in l.
func (l *List[T, P]) Remove(e *T) {
	k := P(e).Linked()
	if k.prev == nil {
		l.first = k.next
	} else {
		P(k.prev).Linked().next = k.next
	}
	if k.next == nil {
		l.last = k.prev
	} else {
		P(k.next).Linked().prev = k.prev
	}
	*k = Links[T]{}
	l.n--
}

// PopFront removes the first element and returns it, nil if there is none.
func (l *List[T, P]) PopFront() *T {
	e := l.first
	if e != nil {
		l.Remove(e)
	}
	return e
}
