package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"
)

// key is one row of the key table: everything about one key of the document. The parser,
// the checks, the schema and the reference page all read this and nothing else.
type key struct {
	name     string
	alias    []string // other spellings, of the specification or of the reference implementation
	kind     kind
	form     *form             // constraint on strings
	min, max uint64            // range of integers, and of the number of elements of lists
	unit     string            // of integers
	values   []string          // the only strings allowed, nil for any
	denied   map[string]denial // strings that are refused with an explanation
	target   string            // section whose names a kindName or kindRefs refers to
	must     bool              // absence is a problem
	inner    string            // table of the objects inside, for kindSection and kindList
	on       protocols
	side     side
	ignored  bool   // it means nothing, and is accepted because old documents have it
	refused  bool   // streams with it are refused at their creation, until it is built
	proof    string // test that proves that this release acts on the key, as in "ss.TestTimeout"; "" while it does not
	def      string // what holds when the key is absent
	text     string // what it means
}

// denial is the reason why a string is refused, and what to write instead.
type denial struct{ why, fix string }

// kind is the shape of a key's value.
type kind uint8

const (
	kindText     kind = iota
	kindTemplate      // text with ${metadata}
	kindName          // name of something defined elsewhere in the document
	kindBool
	kindInt
	kindDelays    // array of milliseconds
	kindNames     // array of names
	kindRefs      // a name of something defined elsewhere in the document, or an array of them
	kindPairs     // array of objects name -> text
	kindStatusMap // array of objects status -> state
	kindCerts     // array of objects name -> base64 or PEM
	kindStores    // array of {name, stack} or name -> array of names
	kindSection   // array of objects name -> object
	kindList      // array of objects
	kindIgnored   // any array
)

// status is what this release does with a key.
type status uint8

const (
	planned     status = iota // read and checked, without effect yet
	refused                   // read and checked, and streams that need it are not created
	implemented               // has its effect, which a test proves
	ignored                   // means nothing
)

// status follows from the row's proof, so that the reference page claims what tests prove and nothing else.
func (k *key) status() status {
	switch {
	case k.ignored:
		return ignored
	case k.refused:
		return refused
	case k.proof != "":
		return implemented
	}
	return planned
}

// side is the end of a connection that a key is for.
type side uint8

const (
	bothSides  side = iota
	clientSide      // accepted on servers, without effect there
	serverSide      // refused on clients, which would silently do without it
)

// value is a checked value on its way into a Go struct.
type value struct {
	key  *key
	text string
	num  uint64
	on   bool
	json *fastjson.Value // for the kinds with structure
}

// row is a key and how its value gets into a T.
type row[T any] struct {
	key
	put func(c *checker, dst *T, v value)
}

// table is the keys of one kind of object.
type table[T any] struct {
	name  string // of the object, in the schema and the reference page
	rows  []row[T]
	index map[string]int
}

func newTable[T any](name string, parts ...[]row[T]) *table[T] {
	t := &table[T]{name: name, rows: slices.Concat(parts...), index: make(map[string]int)}
	for i, r := range t.rows {
		for _, n := range append([]string{r.name}, r.alias...) {
			if _, twice := t.index[n]; twice || i >= maxRows {
				panic("policy: key table " + name + ": " + n + ": twice, or too many rows")
			}
			t.index[n] = i
		}
	}
	return t
}

// find returns the row of a key under any of its names, -1 when there is none.
func (t *table[T]) find(name string) int {
	if i, ok := t.index[name]; ok {
		return i
	}
	return -1
}

// keys returns the rows without what depends on T.
func (t *table[T]) keys() []*key {
	keys := make([]*key, len(t.rows))
	for i := range t.rows {
		keys[i] = &t.rows[i].key
	}
	return keys
}

// maxRows is the most keys an object can have, for keySet's sake.
const maxRows = 128

// keySet is a set of rows of one table.
type keySet [maxRows / 64]uint64

func (s *keySet) add(i int)     { s[i/64] |= 1 << (i % 64) }
func (s keySet) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }

// The functions below make the put of a row from the address of a field.

func text[T any](field func(*T) *string) func(*checker, *T, value) {
	return func(_ *checker, dst *T, v value) { *field(dst) = v.text }
}

// fieldName stores a header field name without its colon.
func fieldName[T any](field func(*T) *string) func(*checker, *T, value) {
	return func(_ *checker, dst *T, v value) { *field(dst) = strings.TrimSuffix(v.text, ":") }
}

func boolean[T any](field func(*T) *bool) func(*checker, *T, value) {
	return func(_ *checker, dst *T, v value) { *field(dst) = v.on }
}

func number[T any, N int | uint8 | uint16 | uint32](field func(*T) *N) func(*checker, *T, value) {
	return func(_ *checker, dst *T, v value) { *field(dst) = N(v.num) }
}

func duration[T any](unit time.Duration, field func(*T) *time.Duration) func(*checker, *T, value) {
	return func(_ *checker, dst *T, v value) { *field(dst) = time.Duration(v.num) * unit }
}

func discard[T any](*checker, *T, value) {}

// rangeText returns the range of an integer as text.
func (k *key) rangeText() string {
	return strconv.FormatUint(k.min, 10) + " to " + strconv.FormatUint(k.max, 10)
}

// topName is the name of the table of the document itself.
const topName = "policy"
