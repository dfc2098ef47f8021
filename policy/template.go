package policy

import "strings"

// Template is a string of the policy in which ${name} stands for the value that the metadata of that
// name has when the string is used. It is compiled once; the zero Template is the empty string.
type Template struct {
	text  string
	parts []part
}

// part is a piece of a template: literal text, then, unless index is negative, the value of a metadata item.
type part struct {
	text  string
	index int
}

// Empty reports whether the template has no text at all, as when the key is absent.
func (t *Template) Empty() bool { return t.text == "" }

// String returns the source text, ${} and all.
func (t *Template) String() string { return t.text }

// Literal returns the text and true when there is nothing in it to replace.
func (t *Template) Literal() (string, bool) {
	for _, p := range t.parts {
		if p.index >= 0 {
			return "", false
		}
	}
	return t.text, true
}

// Append appends the expanded string to dst. It calls value for each metadata index (see
// Stream.Metadata) in the text; the slice it returns is copied, nil expands to nothing.
func (t *Template) Append(dst []byte, value func(index int) []byte) []byte {
	for _, p := range t.parts {
		dst = append(dst, p.text...)
		if p.index >= 0 {
			dst = append(dst, value(p.index)...)
		}
	}
	return dst
}

// compile splits text at its ${name}s; index finds a name's number, negative when it is not declared.
// A '$' without '{' is plain text. For each thing wrong it calls bad, and goes on.
func compile(text string, index func(name string) int, bad func(msg, fix string)) Template {
	t := Template{text: text}
	rest := text
	for rest != "" {
		open := strings.Index(rest, "${")
		if open < 0 {
			break
		}
		name, after, closed := strings.Cut(rest[open+2:], "}")
		if !closed {
			bad("${ without its }", "close it, or drop the '{'")
			break
		}
		i := index(name)
		switch {
		case name == "":
			bad("${} names no metadata", "put a metadata name between the braces")
		case i < 0:
			bad("${"+name+"} is not declared", `declare it in this stream type: "metadata": [{"`+name+`": ""}]`)
		}
		t.parts = append(t.parts, part{rest[:open], i})
		rest = after
	}
	if rest != "" {
		t.parts = append(t.parts, part{rest, -1})
	}
	return t
}

// plain returns the text without its ${name}s, for checks of what is sure to be in every expansion.
func (t *Template) plain() string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
	}
	return b.String()
}
