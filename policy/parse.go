package policy

import "github.com/valyala/fastjson"

// Parse reads a policy document, which must be one JSON object (RFC 8259) in UTF-8. The document is not
// kept. When anything in it is wrong the policy is nil and the error is an *Errors that lists every
// problem (up to MaxProblems): one when the text is not JSON, else all that its meaning has. What a hostile
// document can cost is bounded by a multiple of its length.
func Parse(doc []byte) (*Policy, error) {
	c := newChecker()
	return c.parse(doc)
}

// Check is Parse, and also returns warnings about what is legal but perhaps not meant: keys that this release does
// not act on yet, keys without effect, streams that will be refused or cannot work, values that are better
// written otherwise. Each has its place in the document; they are in the order of the text, at most MaxProblems.
// There are none when there is an error.
func Check(doc []byte) (p *Policy, warnings []Problem, err error) {
	c := newChecker()
	c.advise = true
	if p, err = c.parse(doc); err != nil {
		return nil, nil, err
	}
	return p, c.located(doc, c.warnings), nil
}

func (c *checker) parse(doc []byte) (*Policy, error) {
	if err := checkJSON(doc); err != nil {
		return nil, err
	}
	var parser fastjson.Parser
	root, err := parser.ParseBytes(doc)
	if err != nil {
		return nil, oneProblem(1, 1, "not JSON: "+err.Error(), "")
	}
	c.document(root)
	if len(c.problems) > 0 {
		return nil, c.errors(doc)
	}
	return c.policy, nil
}
