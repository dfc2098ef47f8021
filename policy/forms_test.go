package policy

import "testing"

func TestCheckSocks(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:1080":          "",
		"proxy.example:1":         "",
		"user:pass@proxy:65535":   "",
		"user:p@ss:word@proxy:80": "",
		"[2001:db8::1]:1080":      "",
		"":                        "no host:port in it",
		"proxy":                   "no host:port in it",
		":80":                     "no host:port in it",
		"proxy:":                  `port "" is none of 1 to 65535`,
		"proxy:0":                 `port "0" is none of 1 to 65535`,
		"proxy:65536":             `port "65536" is none of 1 to 65535`,
		"proxy:+1":                `port "+1" is none of 1 to 65535`,
		"2001:db8::1:80":          `host "2001:db8::1" is not a host: an IPv6 address needs [ ]`,
		"[proxy:x]:80":            `host "[proxy:x]" is not a host: an IPv6 address needs [ ]`,
		"user@proxy:80":           "no user:password before the @",
		":pass@proxy:80":          "no user:password before the @",
		"pro\nxy:80":              "control character U+000A in it",
	} {
		if got := checkSocks(text); got != want {
			t.Errorf("checkSocks(%q): got %q, want %q", text, got, want)
		}
	}
}

// TestNoInjection: nothing that becomes part of a request line or a header field can end it.
func TestNoInjection(t *testing.T) {
	for _, f := range []*form{textForm, nameForm, tokenForm, tokensForm, headerForm, urlForm, endpointForm, socksForm} {
		for _, text := range []string{"a\r\nb:1", "a\nb:1", "a\rb:1", "a\x00b:1"} {
			if f.check(text) == "" {
				t.Errorf("%s: takes %q, want it refused", f.name, text)
			}
		}
	}
}
