package policy

import (
	"strings"
	"testing"
)

// TestSectionMistakes: a problem outside of stream types is reported with its position.
func TestSectionMistakes(t *testing.T) {
	for doc, want := range map[string]string{
		`[]`:                               `1:1: wants a policy, which is an object { }, got an array`,
		`"x"`:                              `1:1: wants a policy, which is an object { }, got the string "x"`,
		`{"retry":{"r":{}}}`:               `1:10: retry: wants an array of retry schemes, each {name: {...}}, got an object: put [ ] around it`,
		`{"retry":[{"r":{"backoff":[]}}]}`: `1:27: retry[0].r.backoff: no delay in it: give at least one, in milliseconds`,
		`{"retry":[{"r":{"svalidping":30,"svalidhup":30}}]}`:            `1:45: retry[0].r.svalidhup: 30 s is no longer than svalidping, so a probe could never be answered in time: make it longer than svalidping`,
		`{"retry":[{"":{}}]}`:                                           `1:12: retry[0][""]: a name of 0 bytes: names have 1 to 128 bytes and no control characters`,
		`{"trust_stores":[{"name":"t"}]}`:                               `1:18: trust_stores[0]: "stack" is missing: add it`,
		`{"trust_stores":[{"t":["c"]}],"certs":[{"c":"AAAA"}]}`:         `1:24: trust_stores[0].t[0]: certificate "c" is used before its definition at 1:41: move the definition before this use`,
		`{"certs":[{"cert1":"AAAA"}],"trust_stores":[{"t":["cert2"]}]}`: `1:51: trust_stores[0].t[0]: no certificate is called "cert2": did you mean "cert1"?`,
		`{"auth":[{"name":"a","blob":4}]}`:                              `1:29: auth[0].blob: wants a whole number from 0 to 3, got 4`,
		`{"auth":[{"name":"a"},{"name":"a"}]}`:                          `1:23: auth[1]: duplicate auth scheme, first defined at 1:10: rename or remove one of them`,
		`{"schema-version":2}`:                                          `1:19: schema-version: wants a whole number from 0 to 1, got 2`,
		`{"via-socks5":"localhost"}`:                                    `1:15: via-socks5: not a [user:password@]host:port: no host:port in it: write it as in "127.0.0.1:1080" or "user:password@proxy:1080"`,
		`{"via-socks5":"a:1","via_socks5":"a:1"}`:                       `1:21: via_socks5: duplicate key: another name of "via-socks5", first given at 1:2: remove one of them`,
	} {
		_, err := Parse([]byte(doc))
		if err == nil || err.Error() != "policy: parse: "+want {
			t.Errorf("%.200s:\n got %v\nwant policy: parse: %s", doc, err, want)
		}
	}
}

// TestTrustStoreShapes: the specification shows two, and both may mix.
func TestTrustStoreShapes(t *testing.T) {
	p, err := Parse([]byte(`{"certs":[{"a":"AAAA","b":"AAAA"}],"trust_stores":[{"stack":["a"],"name":"x"},{"y":["a","b"],"z":["b"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.TrustStores {
		for _, c := range s.Stack {
			got = append(got, s.Name+c.Name)
		}
	}
	if want := "xa ya yb zb"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
	if p.TrustStores[1].Stack[0] != p.Certs[0] {
		t.Error("the stack does not point to the certificate of the certs section")
	}
}
