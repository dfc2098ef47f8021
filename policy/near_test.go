package policy

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"port", "port", 0}, {"", "port", 4}, {"prot", "port", 1}, {"por", "port", 1}, {"pport", "port", 1},
		{"PORT", "port", 0}, {"mqtt qos", "mqtt_qos", 0}, {"via_socks5", "via-socks5", 0}, {"endpint", "endpoint", 1},
		{"kitten", "sitting", 3}, {strings.Repeat("a", maxNear), strings.Repeat("b", maxNear), maxNear},
	} {
		for _, ab := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := distance(ab[0], ab[1]); got != tt.want {
				t.Errorf("distance(%q, %q): got %d, want %d", ab[0], ab[1], got, tt.want)
			}
		}
	}
}

// TestNearestKey: frequent misspellings in stream types, and the suggested keys.
func TestNearestKey(t *testing.T) {
	for member, want := range map[string]string{
		`"prot": "h1"`:                          `did you mean "protocol"?`,
		`"prot": 80`:                            `did you mean "port"?`,
		`"endpont": "x"`:                        `did you mean "endpoint"?`,
		`"End-Point": "x"`:                      `did you mean "endpoint"?`,
		`"nailedup": true`:                      `did you mean "nailed_up"?`,
		`"oportunistic": true`:                  `did you mean "opportunistic"?`,
		`"http-url": "/"`:                       `did you mean "http_url"?`,
		`"mqttqos": 1`:                          `did you mean "mqtt_qos"?`,
		`"timeout": 5`:                          `did you mean "timeout_ms"?`,
		`"tls_trust_stor": "x"`:                 `did you mean "tls_trust_store"?`,
		`"backoff": [1]`:                        `it belongs in "retry" objects, see docs/policy.md`,
		`"zork": 1`:                             `remove it; docs/policy.md lists the keys there are`,
		`"x": 1`:                                `remove it; docs/policy.md lists the keys there are`,
		`"` + strings.Repeat("p", 400) + `": 1`: `remove it; docs/policy.md lists the keys there are`,
	} {
		_, err := Parse([]byte(`{"s": [{"a": {` + member + `}}]}`))
		if err == nil {
			t.Errorf("%s: accepted, want it refused", member)
			continue
		}
		if got := err.(*Errors).Problems[0].Fix; got != want {
			t.Errorf("%s: got %q, want %q", member, got, want)
		}
	}
}
