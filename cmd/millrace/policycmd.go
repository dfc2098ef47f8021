package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
)

var policyCommand = command{
	name: "policy", args: "check FILE | schema", brief: "check a policy file, or print the JSON schema of policies",
	help: `
"check" prints every problem of a policy file with its line and column, or "ok" and the number of stream types.
Warnings follow, also with line and column: keys that this release does not implement yet, keys without effect,
incomplete stream types and those that Create refuses, names that need DNS, values of a URL that are not encoded,
booleans written as 0 and 1. "schema" prints the JSON Schema of policies.

examples:
  millrace policy check policy.json
  millrace policy schema >policy.schema.json`,
	run: runPolicy,
}

func runPolicy(a *app, c *command, args []string) int {
	rest, status, ok := a.parse(c, a.flags(c), args, 2)
	switch {
	case !ok:
		return status
	case len(rest) == 1 && rest[0] == "schema":
		if _, err := a.out.Write(policy.Schema()); err != nil {
			return a.fail(exitLocal, "policy schema: %v", err)
		}
		return exitOK
	case len(rest) == 2 && rest[0] == "check":
		return a.checkPolicy(rest[1])
	}
	return a.fail(exitUsage, "policy: use \"check FILE\" or \"schema\"; see `millrace help policy`")
}

func (a *app) checkPolicy(file string) int {
	doc, err := readDocument(file)
	if err != nil {
		return a.fail(exitLocal, "policy check: %v", err)
	}
	p, warnings, err := policy.Check(doc)
	var bad *policy.Errors
	switch {
	case errors.As(err, &bad):
		for _, problem := range bad.Problems {
			a.say("%s:%v", file, problem)
		}
		if bad.More > 0 {
			a.say("%s: the first %d are listed", file, len(bad.Problems))
		}
		a.say("%s: %s", file, plural(bad.Count(), "problem"))
		return exitRefused
	case err != nil:
		return a.fail(exitRefused, "policy check: %s: %v", file, err)
	}
	for _, w := range warnings {
		line, col := w.Line, w.Col
		w.Line = 0 // it is printed already
		a.say("%s:%d:%d: warning: %v", file, line, col, w)
	}
	a.say("%s: ok, %s", file, plural(fmt.Sprint(len(p.Streams)), "stream type"))
	return exitOK
}

// say prints a line, escaped: a policy may come from an untrusted source.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.out, roles.Plain(fmt.Sprintf(format, args...)))
}

func plural(count, noun string) string {
	if count != "1" {
		noun += "s"
	}
	return count + " " + noun
}

// readAtMost reads r to its end, or to the limit.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit))
}
