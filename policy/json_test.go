package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestJSONTorture runs the vectors of nst/JSONTestSuite: y_ must be JSON, n_ must not, and of i_ it is
// only asked that they end. Whatever is JSON is then judged as a policy too, and must not panic.
func TestJSONTorture(t *testing.T) {
	files, _ := filepath.Glob("testdata/json-torture/*.json")
	if len(files) < 300 {
		t.Fatalf("testdata/json-torture has %d documents, want at least 300", len(files))
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		begin := time.Now()
		err = checkJSON(doc)
		switch {
		case name[0] == 'y' && err != nil:
			t.Errorf("%s: got %v, want it accepted as JSON: %q", name, err, doc)
		case name[0] == 'n' && err == nil:
			t.Errorf("%s: accepted as JSON, want it refused: %q", name, doc)
		}
		p, perr := Parse(doc)
		if err != nil && p != nil {
			t.Errorf("%s: a policy came out of what is not JSON: %q", name, doc)
		}
		if perr != nil {
			checkPositions(t, doc, perr)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// TestAgreement holds the scanner, which explains, to the check that decides, on text that fastjson is
// known to be lax about and on its neighbours.
func TestAgreement(t *testing.T) {
	for _, tt := range []struct {
		doc string
		ok  bool
	}{
		{`{}`, true},
		{` {"a":[1,-0,1.5e+7,true,false,null,"\u00e9\ud834\udd1e"]} `, true},
		{"[\"a\x01\\n\"]", false},   // control character before an escape
		{"{\"a\x01\\n\":1}", false}, // the same in a key
		{"[\"\\n\x01\"]", false},    // and after it
		{`["\ud800"]`, false},       // half a surrogate pair
		{`["\ud800\u0041"]`, false},
		{`["\udc00"]`, false},
		{`["\uD834\uDD1E"]`, true},
		{`["\u12"]`, false},
		{"[\"\xff\"]", false}, // not UTF-8
		{"[\"\xed\xa0\x80\"]", false},
		{`[01]`, false}, {`[-]`, false}, {`[1.]`, false}, {`[.5]`, false}, {`[1e]`, false}, {`[+1]`, false},
		{`[nan]`, false}, {`[inf]`, false}, {`[tru]`, false}, {`[truex]`, false}, {`[-nan]`, false},
		{`["a`, false}, {`["a\`, false}, {`["a\"`, false}, {`{"a"`, false}, {`{"a":`, false}, {`{"a":1`, false}, {`{"a":1,`, false},
		{`{"a":1,}`, false}, {`[1,]`, false}, {`[,]`, false}, {`{,}`, false}, {`[1 2]`, false}, {`{"a" 1}`, false}, {`{a:1}`, false}, {`{'a':1}`, false},
		{``, false}, {` `, false}, {"\x00", false}, {`{}x`, false}, {`{}{}`, false}, {"\xef\xbb\xbf{}", false}, {"\x0b{}", false},
		{strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), true},
		{strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), false},
		{strings.Repeat("[", 900_000), false},
		{strings.Repeat(`{"a":`, 150_000), false},
		{`"` + strings.Repeat("[", 100) + `"`, true},
	} {
		shown := quote(tt.doc)
		if err := checkJSON([]byte(tt.doc)); (err == nil) != tt.ok {
			t.Errorf("checkJSON(%s): got %v, want accepted: %v", shown, err, tt.ok)
		} else if err != nil && err.(*Errors).Problems[0].Msg == "not JSON" {
			t.Errorf("checkJSON(%s): refused, but the scanner finds nothing wrong", shown)
		}
		s := scanner{doc: []byte(tt.doc)}
		if f := s.document(); (f == nil) != tt.ok {
			t.Errorf("scanner on %s: got %v, want accepted: %v", shown, f, tt.ok)
		}
	}
}

func TestDocumentSize(t *testing.T) {
	doc := `{"release":"` + strings.Repeat("x", MaxDocument-14) + `"}`
	if _, err := Parse([]byte(doc)); err != nil {
		t.Errorf("document of %d bytes: got %.200v, want it accepted", len(doc), err)
	}
	if _, err := Parse([]byte(doc + " ")); err == nil || !strings.Contains(err.Error(), "larger than a policy may be") {
		t.Errorf("document of %d bytes: got %.200v, want it refused for its size", len(doc)+1, err)
	}
}
