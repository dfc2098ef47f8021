package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParse: no document makes Parse panic, the explaining scanner agrees with the deciding check, every
// problem lies inside the document, and what is accepted means the same the second time, and when padded.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/edge/*.json", "testdata/json-torture/*.json"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			doc, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(doc) < 10_000 { // long seeds only slow the search
				f.Add(doc)
			}
		}
	}
	f.Add([]byte(specExample))
	f.Add([]byte(broken))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		p, err := Parse(doc)
		if !bytes.Equal(doc, before) {
			t.Fatalf("Parse changed the document %q into %q", before, doc)
		}
		s := scanner{doc: doc}
		if fault, json := s.document(), checkJSON(doc) == nil; len(doc) <= MaxDocument && json != (fault == nil) {
			t.Fatalf("checkJSON accepts: %v, but the scanner says %v: %q", json, fault, doc)
		}
		if err != nil {
			if p != nil {
				t.Fatalf("a policy and the error %v came out of %q", err, doc)
			}
			checkPositions(t, doc, err)
			return
		}
		for _, again := range [][]byte{doc, append([]byte("\r\n\t "), doc...), append(bytes.Clone(doc), ' ', '\n')} {
			if q, err := Parse(again); err != nil || !reflect.DeepEqual(p, q) {
				t.Fatalf("%q accepted, then %q: %v\n got %+v\nwant %+v", doc, again, err, q, p)
			}
		}
		for _, s := range p.Streams {
			if p.Stream(s.Name) != s || s.Retry == nil {
				t.Fatalf("stream type %q of %q: not found by its name, or without a retry scheme", s.Name, doc)
			}
			_ = s.CheckReady()
		}
	})
}
