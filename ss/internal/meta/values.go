package meta

// Values are the metadata of one stream. All methods that only read, and DropFromPeer, take a nil *Values: a stream
// without any.
type Values struct {
	// Fields are the header fields that the program named itself.
	Fields Fields
	// Headers are a copy of the fields of the peer's head.
	Headers Headers

	items []value // by index of the policy's list
}

// value is one item. What the program has set and what the peer says are kept apart: the first is sent, the second is
// read. Nothing that came from the peer is ever sent.
type value struct {
	own  []byte // the program's
	peer []byte // the peer's, in its head or in the head of a part of its body
	set  bool   // own has a value
	from source // what Get returns
}

// source selects what Get returns.
type source uint8

const (
	fromProgram source = iota
	fromPeer
	fromNone // nothing: a part of the peer's body does not have the field
)

// Set copies v into item i. Get returns it from now on.
func (m *Values) Set(i int, v []byte) {
	s := &m.items[i]
	s.own, s.set, s.from = append(s.own[:0], v...), true, fromProgram
}

// SetString is Set for a string.
func (m *Values) SetString(i int, v string) {
	s := &m.items[i]
	s.own, s.set, s.from = append(s.own[:0], v...), true, fromProgram
}

// SetFromPeer copies what the peer says of item i. Get returns it from now on; what the program has set stays.
func (m *Values) SetFromPeer(i int, v []byte) {
	s := &m.items[i]
	s.peer, s.from = append(s.peer[:0], v...), fromPeer
}

// Hide makes Get return nothing for item i, since the peer says that it has no value. What the program has set stays.
func (m *Values) Hide(i int) {
	if m != nil {
		m.items[i].from = fromNone
	}
}

// Get returns the value of item i that the program reads: the one that was set last, by either side.
func (m *Values) Get(i int) ([]byte, bool) {
	if m == nil {
		return nil, false
	}
	switch s := &m.items[i]; s.from {
	case fromPeer:
		return s.peer, true
	case fromNone:
		return nil, false
	}
	return m.Own(i)
}

// Own returns the value of item i that is sent: what the program has set.
func (m *Values) Own(i int) ([]byte, bool) {
	if m == nil || !m.items[i].set {
		return nil, false
	}
	return m.items[i].own, true
}

// Expand is Own in the form that policy.Template.Append asks for: nil for an item without a value.
func (m *Values) Expand(i int) []byte {
	v, _ := m.Own(i)
	return v
}

// DropFromPeer drops what the peer said of the items.
func (m *Values) DropFromPeer() {
	if m == nil {
		return
	}
	for i := range m.items {
		m.items[i].dropPeer()
	}
}

// smallValue is the largest value, in bytes, whose memory is kept for the next one.
const smallValue = 256

func (v *value) dropPeer() {
	if v.from = fromProgram; cap(v.peer) > smallValue {
		v.peer = nil
	}
}

// reset drops everything, and keeps the memory of small values.
func (m *Values) reset() {
	for i := range m.items {
		v := &m.items[i]
		v.set = false
		v.dropPeer()
		if cap(v.own) > smallValue {
			v.own = nil
		}
	}
	m.Fields.reset()
}

// grow makes room for n items.
func (m *Values) grow(n int) {
	for cap(m.items) < n {
		m.items = append(m.items[:cap(m.items)], value{})
	}
	m.items = m.items[:n]
}
