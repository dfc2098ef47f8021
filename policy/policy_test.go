package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// broken has every sort of mistake in its meaning: misspelt keys, references too early and to nothing,
// values out of range and of the wrong type, a second definition, a member that is missing.
const broken = `{
  "relase": "1",
  "s": [{
    "early": { "retry": "late", "tls_trust_store": "nope" }
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
		`4:25: s[0].early.retry: retry scheme "late" is used before its definition at 7:5: move the definition in front of this use`,
		`4:52: s[0].early.tls_trust_store: no trust store is called "nope": define it under "trust_stores", in front of this use`,
		`7:27: retry[0].late.backoff[0]: wants a whole number from 1 to 604800000 (ms), got 0`,
		`7:49: retry[0].late.jitterpc: wants a whole number from 0 to 255 (%), got the string "20": write it without quotes`,
		`8:5: retry[0].late: second retry scheme of this name, the first stands at 7:5: rename or remove one of them`,
		`10:3: s2: unknown key "s2": did you mean "s"?`,
		`11:12: auth[0]: "name" is missing: add it`,
		`12:14: product: null is no value: leave the key out`,
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

// TestProblemsAreBounded: a document of mistakes is refused with a list that stays readable, and quickly.
func TestProblemsAreBounded(t *testing.T) {
	for name, doc := range map[string]string{
		"unknown keys": `{` + strings.Repeat(`"endpiont_":1,`, 70_000) + `"release":"1"}`,
		"stream keys":  `{"s":[{"a":{` + strings.Repeat(`"endpiont_":1,`, 70_000) + `"port":1}}]}`,
		"references":   `{"s":[` + strings.Repeat(`{"a":{"retry":"x"}},`, 40_000) + `{}]}`,
		"rides":        `{"s":[` + strings.Repeat(`{"a":{"rideshare":"x"}},`, 40_000) + `{}]}`,
		"numbers":      `{"retry":[` + strings.Repeat(`1,`, 500_000) + `1]}`,
	} {
		begin := time.Now()
		_, err := Parse([]byte(doc))
		var e *Errors
		if !errors.As(err, &e) || len(e.Problems) != MaxProblems || !e.Truncated {
			t.Errorf("%s: got %d problems, truncated %v; want %d, true", name, len(e.Problems), e.Truncated, MaxProblems)
		} else if !strings.HasSuffix(e.Error(), "more than 1000 problems: the rest is not listed") {
			t.Errorf("%s: the text does not say that it was cut", name)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
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

// TestWarnings: what is read but not acted on is told, and what has no effect on its side.
func TestWarnings(t *testing.T) {
	p, err := Parse([]byte(`{"metrics":[],"s":[{"a":{"endpoint":"x","port":1,"tls":true,"client cert":0,"urgent_rx":true,"http_cookies":true,"plugins":[]}},{"b c":{"server":true,"nailed_up":true}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range p.NotYetActedOn() {
		got = append(got, w.Path)
	}
	if want := "[metrics s[0].a.urgent_rx]"; fmt.Sprint(got) != want {
		t.Errorf("NotYetActedOn: got %v, want %s", got, want)
	}
	got = nil
	for _, w := range p.WithoutEffect() {
		got = append(got, w.String())
	}
	if want := `[s[1]["b c"].nailed_up: means nothing to a server: remove it]`; fmt.Sprint(got) != want {
		t.Errorf("WithoutEffect: got %v, want %s", got, want)
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
