package policy

import "testing"

// TestSyntaxMessages: each mistake people make in JSON has its place and its words.
func TestSyntaxMessages(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{``, `1:1: the document is empty: the least policy is {}`},
		{"\xef\xbb\xbf{}", `1:1: the document begins with a byte order mark: save it as UTF-8 without one`},
		{`{"s": [],}`, `1:9: comma after the last member: remove it`},
		{`{"s": [1,]}`, `1:9: comma after the last element: remove it`},
		{`{"s": [] "retry": []}`, `1:10: no comma between this and the member before it: put one`},
		{`{"s": [1 2]}`, `1:10: no comma between this and the element before it: put one`},
		{`{"s" []}`, `1:6: no colon after the key: write "key": value`},
		{`{s: []}`, `1:2: expected a key: keys are strings in double quotes, as in "port"`},
		{`{'s': []}`, `1:2: expected a key: keys are strings in double quotes, as in "port"`},
		{`{"s": 'x'}`, `1:7: single quote: strings are written in double quotes`},
		{`{"s": True}`, `1:7: not a value: a value is a string in double quotes, a number, true, false, null, an object or an array`},
		{`{"s": }`, `1:7: a value is missing before }: put one`},
		{`{"s": 080}`, `1:7: not a number as JSON writes it: remove the leading zero`},
		{`{"s": +1}`, `1:7: not a number as JSON writes it: it must begin with a digit or a minus`},
		{`{"s": 1.}`, `1:7: not a number as JSON writes it: a digit must follow the point`},
		{`{"s": 1e}`, `1:7: not a number as JSON writes it: a digit must follow the exponent sign`},
		{`{"s": -}`, `1:7: not a number as JSON writes it: a digit must follow the minus`},
		{"{\"s\": \"a\n\"}", `1:9: the line ends inside the string that began at 1:7: close it with ", or write \n for a line end`},
		{"{\"s\": \"a\t\"}", `1:9: control character in a string: write it as an escape, such as \t or \u001b`},
		{`{"s": "\x"}`, `1:8: not an escape sequence: JSON has \" \\ \/ \b \f \n \r \t and \uXXXX, surrogates in pairs`},
		{"{\"s\": \"\xff\"}", `1:8: not UTF-8: save the document as UTF-8`},
		{"{\n  // here\n}", `2:3: JSON has no comments: remove it`},
		{"{\"s\": [] # here\n}", `1:10: JSON has no comments: remove it`},
		{"{} // end", `1:4: JSON has no comments: remove it`},
		{`{"s": [{"a": 1]}`, `1:15: ] does not close the object that began at 1:8: close it with }`},
		{`{"s": [{"a": 1}`, `1:16: the document ends inside the array that began at 1:7: close it with ]`},
		{`{"s": "abc`, `1:11: the document ends inside the string that began at 1:7: close it with "`},
		{`{"s": [`, `1:8: the document ends inside the array that began at 1:7: close it with ]`},
		{`{"s":`, `1:6: the document ends where a value is expected: complete it`},
		{`{}}`, `1:3: text after the end of the document: remove it, or look for a closing bracket too many before it`},
		{`[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]`, `1:17: nested too deep: a policy needs six levels`},
	} {
		_, err := Parse([]byte(tt.doc))
		if err == nil {
			t.Errorf("Parse(%q): accepted, want %q", tt.doc, tt.want)
			continue
		}
		if got, want := err.Error(), "policy: parse: "+tt.want; got != want {
			t.Errorf("Parse(%q):\n got %q\nwant %q", tt.doc, got, want)
		}
	}
}
