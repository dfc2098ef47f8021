package http

import (
	"net/url"
	"testing"
)

func TestAppendFormPair(t *testing.T) {
	for _, c := range []struct{ dst, name, value, want string }{
		{"", "a", "b", "a=b"},
		{"a=b", "c", "", "a=b&c="},
		{"", "", "", "="},
		{"", "a b", "c&d=e+f", "a+b=c%26d%3De%2Bf"},
		{"", "*-._~", "\xc3\xa4\r\n%\x00", "*-._%7E=%C3%A4%0D%0A%25%00"},
	} {
		if got := AppendFormPair([]byte(c.dst), []byte(c.name), []byte(c.value)); string(got) != c.want {
			t.Errorf("AppendFormPair(%q=%q) to %q: got %q, want %q", c.name, c.value, c.dst, got, c.want)
		}
	}
}

// TestFormOracle: net/url decodes every octet.
func TestFormOracle(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	form := AppendFormPair(AppendFormPair(nil, []byte("first"), all), all, []byte("second"))
	got, err := url.ParseQuery(string(form))
	if err != nil || len(got) != 2 || got.Get("first") != string(all) || got.Get(string(all)) != "second" {
		t.Errorf("url.ParseQuery(%q) = %q, %v", form, got, err)
	}
}
