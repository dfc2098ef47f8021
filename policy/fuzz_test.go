package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
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
	f.Add([]byte(`{"s":[{"a":{"endpoint":"http://${h}:${p}/${x|path}","http_url":"/${x|query}","metadata":[{"h":""},{"p":""},{"x":""}],"tls":0}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		c := newChecker()
		p, err := c.parse(doc)
		if work := c.work + nearBudget - c.near; work > 2*len(doc)+nearBudget+4*maxPairing {
			t.Fatalf("%d bytes cost %d steps: %.200q", len(doc), work, doc)
		}
		if q, warnings, err2 := Check(doc); (err2 == nil) != (err == nil) || (q == nil) != (p == nil) {
			t.Fatalf("Parse says %v, Check %v: %q", err, err2, doc)
		} else if len(warnings) > 0 {
			checkPositions(t, doc, &Errors{Problems: warnings})
		}
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
			for _, tmpl := range []*Template{&s.Endpoint, &s.HTTP.URL} {
				checkExpansion(t, tmpl)
			}
		}
	})
}

// checkExpansion fails the test when a hostile value makes of a template more than its text allows.
func checkExpansion(t *testing.T, tmpl *Template) {
	for _, v := range append(hostileValues, "a", "80", "::1", strings.Repeat("x", MaxTarget)) {
		out, err := tmpl.Append(nil, func(int) []byte { return []byte(v) })
		if len(out) > MaxTarget {
			t.Fatalf("%q with %.40q: %d bytes", tmpl.String(), v, len(out))
		}
		if form := EndpointFormOf(tmpl.String()); err == nil && tmpl.key == "endpoint" && len(out) > 0 && EndpointFormOf(string(out)) != form {
			t.Fatalf("%q with %q: %q has another form", tmpl.String(), v, out)
		}
	}
}
