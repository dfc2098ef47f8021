package policy

import (
	"strings"
	"testing"
)

// TestOrderOfDefinitions: a name must be defined before its use; no other order matters.
func TestOrderOfDefinitions(t *testing.T) {
	const (
		retry  = `"retry":[{"r":{}}]`
		certs  = `"certs":[{"c":"AAAA"}]`
		stores = `"trust_stores":[{"t":["c"]}]`
		auth   = `"auth":[{"name":"n"}]`
		users  = `"s":[{"a":{"retry":"r","tls":true,"tls_trust_store":"t","use_auth":"n"}},{"b":{"server":true,"tls":false,"server_cert":"c","server_key":"c"}}]`
	)
	for _, tt := range []struct {
		name  string
		order []string
		early []string // paths that are used before their definition
	}{
		{"as they should", []string{retry, certs, stores, auth, users}, nil},
		{"other sections first", []string{auth, certs, stores, retry, users}, nil},
		{"retry last", []string{certs, stores, auth, users, retry}, []string{"s[0].a.retry"}},
		{"auth last", []string{retry, certs, stores, users, auth}, []string{"s[0].a.use_auth"}},
		{"stores before certs", []string{retry, stores, certs, auth, users}, []string{"trust_stores[0].t[0]"}},
		{"streams first", []string{users, retry, certs, stores, auth}, []string{
			"s[0].a.retry", "s[0].a.tls_trust_store", "s[0].a.use_auth", "s[1].b.server_cert", "s[1].b.server_key"}},
	} {
		_, err := Parse([]byte("{" + strings.Join(tt.order, ",\n") + "}"))
		var got []string
		if err != nil {
			for _, p := range err.(*Errors).Problems {
				if !strings.HasSuffix(p.Msg, "is used before its definition") || p.First.Line <= p.Line {
					t.Errorf("%s: got %v, want a use before its definition, and where that is", tt.name, p)
				}
				got = append(got, p.Path)
			}
		}
		if strings.Join(got, " ") != strings.Join(tt.early, " ") {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.early)
		}
	}
	if _, err := Parse([]byte(`{"s":[{"a":{"rideshare":"b"}},{"b":{"http_url":"${m}","metadata":[{"m":""}]}}]}`)); err != nil {
		t.Errorf("rideshare and metadata may be defined later: got %v", err)
	}
}
