package policy

import "testing"

// TestSecondMember: a duplicate key is reported with the position of the first, under any of its names,
// and the second value is checked like the first.
func TestSecondMember(t *testing.T) {
	for doc, want := range map[string]string{
		`{"release":"1","release":2}`: "policy: parse: 1:16: release: duplicate key \"release\", first given at 1:2: remove one of them\n" +
			"policy: parse: 1:26: release: wants a string, got the number 2: put it in double quotes",
		`{"s":[{"a":{"client cert":1,"x":0,"client_cert":1,"tls":true}}]}`: "policy: parse: 1:29: s[0].a.x: unknown key \"x\": remove it; docs/policy.md lists the keys there are\n" +
			"policy: parse: 1:35: s[0].a.client_cert: duplicate key: another name of \"client cert\", first given at 1:13: remove one of them",
		`{"s":[{"a":{"port":1,"port":2,"port":3}}]}`: "policy: parse: 1:22: s[0].a.port: duplicate key \"port\", first given at 1:13: remove one of them\n" +
			"policy: parse: 1:31: s[0].a.port: duplicate key \"port\", first given at 1:13: remove one of them",
		`{"rel\u0065ase":"1","release":"2"}`: `policy: parse: 1:21: release: duplicate key "release", first given at 1:2: remove one of them`,
	} {
		if _, err := Parse([]byte(doc)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", doc, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	const wants = "wants a whole number from 0 to 65535, got "
	for text, want := range map[string]string{
		"0": "", "65535": "", "65536": wants + "65536", "-1": wants + "-1", "-0": wants + "-0: write it in digits alone, without point or exponent",
		"80.0": wants + "80.0: write it in digits alone, without point or exponent", "8e1": wants + "8e1: write it in digits alone, without point or exponent",
		`"80"`: wants + `the string "80": write it without quotes`, `"x"`: wants + `the string "x"`, "true": wants + "true",
		"123456789012345678901234567890123456789012345": wants + "1234567890123456789012345678901234567890...",
	} {
		_, err := Parse([]byte(`{"s":[{"a":{"port":` + text + `}}]}`))
		if want == "" {
			if err != nil {
				t.Errorf("port %s: got %v, want it accepted", text, err)
			}
		} else if err == nil || err.Error() != "policy: parse: 1:20: s[0].a.port: "+want {
			t.Errorf("port %s:\n got %v\nwant ...%s", text, err, want)
		}
	}
}
