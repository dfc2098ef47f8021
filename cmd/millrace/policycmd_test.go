package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
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
		{"later", `{"s":[{"w":{"endpoint":"e","port":1,"protocol":"mqtt","mqtt_qos":1}}]}`, exitOK,
			[]string{":1:55: warning: s[0].w.mqtt_qos", "does not act on it yet"}},
		{"many problems", `{` + strings.Repeat(`"x":1,`, 1002) + `"s":[]}`, exitRefused, []string{": the first 1000 are listed\n", ": 1002 problems\n"}},
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
		t.Errorf("the schema is not JSON: %.200s", r.out)
	}
}

// The policies of this package have no problems and no warnings.
func TestBuiltInPolicies(t *testing.T) {
	demo, err := demoDocument(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		doc   []byte
		types string
	}{{"demo.json", demo, "18 stream types"}, {"url.json", urlPolicy, "5 stream types"}, {"url_ws.json", wsPolicy, "1 stream type"}} {
		r := run("policy", "check", write(t, c.name, string(c.doc)))
		if want := ": ok, " + c.types + "\n"; r.status != exitOK || !strings.HasSuffix(r.out, want) || strings.Count(r.out, "\n") != 1 {
			t.Errorf("%s: status %d and %q, want 0 and nothing but ok", c.name, r.status, r.out)
		}
	}
}
