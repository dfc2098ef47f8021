package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// broken has every sort of mistake in its meaning: misspelt keys, references too early and to nothing,
// values out of range and of the wrong type, a second definition, a member that is missing.
const broken = `{
  "relase": "1",
  "s": [{
    "early": { "retry": "late", "tls": true, "tls_trust_store": "nope" }
  }],
  "retry": [{
    "late": { "backoff": [0, 1000], "jitterpc": "20" },
    "late": {}
  }],
  "s2": [],
  "auth": [{ "type": "sigv4" }],
  "product": null
}`

func TestAllProblemsAtOnce(t *testing.T) {
	want := strings.Join([]string{
		`2:3: relase: unknown key "relase": did you mean "release"?`,
		`4:25: s[0].early.retry: retry scheme "late" is used before its definition at 7:5: move the definition before this use`,
		`4:65: s[0].early.tls_trust_store: no trust store is called "nope": define it under "trust_stores", before this use`,
		`7:27: retry[0].late.backoff[0]: wants a whole number from 1 to 604800000 (ms), got 0`,
		`7:49: retry[0].late.jitterpc: wants a whole number from 0 to 255 (%), got the string "20": write it without quotes`,
		`8:5: retry[0].late: duplicate retry scheme, first defined at 7:5: rename or remove one of them`,
		`10:3: s2: unknown key "s2": did you mean "s"?`,
		`11:12: auth[0]: "name" is missing: add it`,
		`12:14: product: null is not a value: leave the key out`,
	}, "\npolicy: parse: ")
	p, err := Parse([]byte(broken))
	if p != nil || err == nil || err.Error() != "policy: parse: "+want {
		t.Errorf("got policy %v and\n%v\nwant\npolicy: parse: %s", p, err, want)
	}
	var e *Errors
	if !errors.As(err, &e) || len(e.Problems) != 9 || e.Problems[1].First != (Place{7, 5}) {
		t.Errorf("errors.As: got %+v, want 9 problems, the second with its first place at 7:5", e)
	}
}

// TestProblemsAreBounded: a document of mistakes is refused with a list that stays readable, and says how many more
// there are.
func TestProblemsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		more      string
	}{
		{"unknown keys", `{` + strings.Repeat(`"endpiont_":1,`, 1003) + `"release":"1"}`, "and 3 more problems"},
		{"one more", `{` + strings.Repeat(`"endpiont_":1,`, 1001) + `"release":"1"}`, "and 1 more problem"},
		{"very many unknown keys", `{` + strings.Repeat(`"endpiont_":1,`, 30_000) + `"release":"1"}`, "and at least "},
		{"stream keys", `{"s":[{"a":{` + strings.Repeat(`"endpiont_":1,`, 30_000) + `"port":1}}]}`, "and at least "},
		{"references", `{"s":[` + strings.Repeat(`{"a":{"retry":"x"}},`, 15_000) + `{}]}`, "and at least "},
		{"rides", `{"s":[` + strings.Repeat(`{"a":{"rideshare":"x"}},`, 15_000) + `{}]}`, "and at least "},
		{"numbers", `{"retry":[` + strings.Repeat(`1,`, 60_000) + `1]}`, "and at least "},
	} {
		_, err := Parse([]byte(c.doc))
		var e *Errors
		if !errors.As(err, &e) || len(e.Problems) != MaxProblems {
			t.Errorf("%s: got %d problems, want %d", c.name, len(e.Problems), MaxProblems)
		} else if _, last, _ := strings.Cut(e.Error()[strings.LastIndexByte(e.Error(), '\n')+1:], "parse: "); last != c.more && !(strings.HasSuffix(c.more, " ") && strings.HasPrefix(last, c.more) && e.Stopped && e.More > maxCounted/2) {
			t.Errorf("%s: the last line is %q, want %q", c.name, last, c.more)
		}
	}
}

func TestDocumentIsNotKept(t *testing.T) {
	doc := []byte(specExample)
	p, err := Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Parse([]byte(specExample))
	for i := range doc {
		doc[i] = '#'
	}
	if !reflect.DeepEqual(p, again) {
		t.Errorf("the policy changed with the bytes it was made from:\n got %+v\nwant %+v", p, again)
	}
}

func TestStreamLookup(t *testing.T) {
	p, err := Parse([]byte(`{"s":[{"mintest":{},"mintest_local":{}},{"fetch_policy":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Stream("mintest"); s == nil || s.Name != "mintest" || s != p.Streams[0] {
		t.Errorf("Stream(mintest): got %v", s)
	}
	if s := p.Stream("mintes"); s != nil {
		t.Errorf("Stream(mintes): got %v, want nil: names match exactly", s)
	}
	byHand := Policy{Streams: []*Stream{{Name: "a"}, {Name: "b"}}}
	if byHand.Stream("b") != byHand.Streams[1] || byHand.Stream("c") != nil {
		t.Error("a Policy made by hand does not find its stream types")
	}
	for name, want := range map[string]string{"mintets": "mintest", "fetch-policy": "fetch_policy", "fetch": "fetch_policy", "zork": "", "": ""} {
		if got := p.Nearest(name); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", name, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(specExample)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseLarge is a policy of 500 stream types with a certificate each, about 900 KB.
func BenchmarkParseLarge(b *testing.B) {
	var doc strings.Builder
	doc.WriteString(`{"retry":[{"default":{"backoff":[1000,2000]}}],"certs":[{"c":"` + strings.Repeat("QUFB", 500) + `"}`)
	for i := range 350 {
		fmt.Fprintf(&doc, `,{"c%d":"%s"}`, i, strings.Repeat("QUFB", 500))
	}
	doc.WriteString(`],"s":[{"first":{}}`)
	for i := range 500 {
		fmt.Fprintf(&doc, `,{"stream%d":{"endpoint":"host%d.example","port":443,"protocol":"h1","http_method":"GET","http_url":"/x/${a}","metadata":[{"a":""}],"retry":"default","tls":true}}`, i, i)
	}
	doc.WriteString(`]}`)
	text := []byte(doc.String())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
