package main

import (
	"encoding/json"
	"testing"
)

func TestPolicyCheck(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		status    int
		says      []string
	}{
		{"good", `{"s":[{"web":{"server":true,"port":0}}]}`, exitOK, []string{": ok, 1 stream type\n"}},
		{"empty", `{"s":[]}`, exitOK, []string{": ok, 0 stream types\n"}},
		{"not json", `{"s":[}`, exitRefused, []string{":1:7: ", ": 1 problem\n"}},
		{"two problems", "{\"s\":[{\"web\":{\n\"sever\":true,\n\"port\":70000}}]}", exitRefused,
			[]string{":2:1: s[0].web.sever", "server", ":3:", "70000", ": 2 problems\n"}},
		{"later", `{"s":[{"w":{"endpoint":"e","port":1,"protocol":"ws","ws_binary":true}}]}`, exitOK,
			[]string{"warning: s[0].w.ws_binary", "does not act on it yet"}},
		{"client's key on a server", `{"s":[{"w":{"server":true,"port":0,"nailed_up":true}}]}`, exitOK,
			[]string{"warning: s[0].w.nailed_up", "means nothing to a server"}},
		{"incomplete", `{"s":[{"w":{"protocol":"h1"}}]}`, exitOK, []string{"warning: ", "no endpoint", "ok, 1 stream type\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run("policy", "check", write(t, "p.json", c.doc)).expect(t, c.status, c.says...)
		})
	}
}

func TestPolicySchema(t *testing.T) {
	r := run("policy", "schema")
	r.expect(t, exitOK, `"$schema"`)
	if !json.Valid([]byte(r.out)) {
		t.Errorf("the schema is no JSON: %.200s", r.out)
	}
}

// Our own policies are as they should be.
func TestBuiltInPolicies(t *testing.T) {
	for name, doc := range map[string][]byte{"demo.json": demoPolicy, "url.json": urlPolicy} {
		r := run("policy", "check", write(t, name, string(doc)))
		if want := ": ok, 5 stream types\n"; r.status != exitOK || r.out[len(r.out)-len(want):] != want {
			t.Errorf("%s: status %d, want 0 and nothing but ok:\n%s", name, r.status, r.out)
		}
	}
}
