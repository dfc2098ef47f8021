package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// expandIn parses a stream type whose key is the template text, and expands that with v as the value of "m".
func expandIn(t *testing.T, key, text, v string) (string, error) {
	t.Helper()
	p, err := Parse([]byte(`{"s":[{"a":{"` + key + `":"` + text + `","metadata":[{"m":""},{"n":""}],` +
		map[bool]string{true: `"protocol":"mqtt"`, false: `"protocol":"h1"`}[strings.HasPrefix(key, "mqtt")] + `}}]}`))
	if err != nil {
		t.Fatalf("%s %q: %v", key, text, err)
	}
	s := p.Stream("a")
	tmpl := map[string]*Template{"endpoint": &s.Endpoint, "http_url": &s.HTTP.URL, "mqtt_topic": &s.MQTT.Topic,
		"mqtt_subscribe": &s.MQTT.Subscribe, "mqtt_will_message": &s.MQTT.Will.Message}[key]
	out, err := tmpl.Append([]byte(">"), func(i int) []byte {
		if i == 0 {
			return []byte(v)
		}
		return nil
	})
	if out[0] != '>' {
		t.Fatalf("%s %q: Append lost what was there: %q", key, text, out)
	}
	return string(out[1:]), err
}

// hostileValues are values that try to change more than the part of the endpoint in which they are inserted.
var hostileValues = []string{
	"/../../admin", "?x=", "#", "%2f", "@evil", "evil:99", ":99", "+/run/sock", "a\r\nEvil: yes", "a\x00", " ", "a b", "\u00e9", "\xff",
	"http://evil/", "evil/", "[::1]", "::1", "::1]:99", "!vhost", "file:///etc/passwd", "a\\b", "a\tb", "%00", "//evil", "\x7f",
}

// TestValueIsNoAddress: the literal text decides the form of an endpoint. A value adds octets of the part in which it
// is, and nothing else: what could change the form is refused.
func TestValueIsNoAddress(t *testing.T) {
	for _, c := range []struct {
		text string
		also map[string]string // hostile values that may stand there, and what becomes of them
	}{
		{"${m}", map[string]string{"[::1]": "[::1]", "::1": "[::1]"}},
		{"${m}.mysite.com", nil},
		{"mysite.${m}", nil},
		{"x${m}", nil},
		{"http://${m}/", map[string]string{"[::1]": "http://[::1]/", "::1": "http://[::1]/"}},
		{"http://${m}:80/", map[string]string{"[::1]": "http://[::1]:80/", "::1": "http://[::1]:80/"}},
		{"http://${m}${n}/", nil},
		{"http://[${m}]/", map[string]string{"::1": "http://[::1]/", ":99": "http://[:99]/"}}, // who dials sees that this is no address
		{"http://host:${m}/", nil},
		{"http://10.0.0.${m}", nil},
		{"+${m}", map[string]string{"?x=": "+?x=", "#": "+#", "%2f": "+%2f", "evil:99": "+evil:99", ":99": "+:99", " ": "+ ", "a b": "+a b",
			"\u00e9": "+\u00e9", "\xff": "+\xff", "[::1]": "+[::1]", "::1": "+::1", "::1]:99": "+::1]:99", "!vhost": "+!vhost", "a\\b": "+a\\b", "%00": "+%00"}},
		{"+/run/${m}.sock", map[string]string{"?x=": "+/run/?x=.sock", "#": "+/run/#.sock", "%2f": "+/run/%2f.sock", "evil:99": "+/run/evil:99.sock", ":99": "+/run/:99.sock",
			" ": "+/run/ .sock", "a b": "+/run/a b.sock", "\u00e9": "+/run/\u00e9.sock", "\xff": "+/run/\xff.sock", "[::1]": "+/run/[::1].sock", "::1": "+/run/::1.sock",
			"::1]:99": "+/run/::1]:99.sock", "!vhost": "+/run/!vhost.sock", "a\\b": "+/run/a\\b.sock", "%00": "+/run/%00.sock"}},
	} {
		for _, v := range hostileValues {
			got, err := expandIn(t, "endpoint", c.text, v)
			want, ok := c.also[v]
			var e *ValueError
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s with %q: got %q, %v; want %q", c.text, v, got, err, want)
			case !ok && (got != "" || !errors.Is(err, ErrValue) || !errors.As(err, &e) || e.Key != "endpoint" || e.Metadata != "m"):
				t.Errorf("%s with %q: got %q, %v; want it refused", c.text, v, got, err)
			}
		}
	}
	for _, c := range []struct{ text, v, want string }{
		{"${m}", "", ""}, {"${m}", "host-1.example", "host-1.example"}, {"${m}", "a_b", "a_b"}, {"${m}", "10.0.0.1", "10.0.0.1"},
		{"${m}", "fe80::1%eth0", "[fe80::1%eth0]"}, {"${m}.x", "uk", "uk.x"}, {"http://h:${m}", "8080", "http://h:8080"},
		{"http://${n}:${m}", "1", "http://:1"}, {"http://h/${m}", "/a?b", "http://h//a?b"}, {"http://h/${m|path}", "/a?b", "http://h/%2Fa%3Fb"},
	} {
		if got, err := expandIn(t, "endpoint", c.text, c.v); got != c.want || err != nil {
			t.Errorf("%s with %q: got %q, %v; want %q", c.text, c.v, got, err, c.want)
		}
	}
	for v, want := range map[string]string{
		"a/b":          `endpoint: metadata "m": value not allowed: octet 0x2f at offset 1 is not allowed in a host name`,
		"a:1":          `endpoint: metadata "m": value not allowed: octet 0x3a at offset 1 is not allowed in a host name`,
		"fe80::1%e/th": `endpoint: metadata "m": value not allowed: octet 0x3a at offset 4 is not allowed in a host name`,
	} {
		if _, err := expandIn(t, "endpoint", "x${m}", v); err == nil || err.Error() != want {
			t.Errorf("x${m} with %q:\n got %v\nwant %s", v, err, want)
		}
	}
	for _, v := range []string{"fe80::1%e/th", "1.2.3.4:5", "[::1", "::1]", "[1.2.3.4]:1", strings.Repeat(":", 1<<20)} {
		if got, err := expandIn(t, "endpoint", "${m}", v); !errors.Is(err, ErrValue) {
			t.Errorf("${m} with %.40q: got %.40q, %v; want it refused", v, got, err)
		}
	}
	for _, v := range []string{".", ".."} {
		if got, err := expandIn(t, "endpoint", "+/run/${m}/sock", v); !errors.Is(err, ErrValue) {
			t.Errorf("+/run/${m}/sock with %q: got %q, %v; want it refused", v, got, err)
		}
	}
}

// TestValueInTarget: in http_url a plain value is inserted unchanged; octets that are invalid in a request target are refused.
// An encoded value is always one segment or one argument.
func TestValueInTarget(t *testing.T) {
	encoded := map[string]string{
		"/../../admin": "%2F..%2F..%2Fadmin", "?x=": "%3Fx%3D", "#": "%23", "%2f": "%252f", "@evil": "%40evil", "evil:99": "evil%3A99", ":99": "%3A99",
		"+/run/sock": "%2B%2Frun%2Fsock", "a\r\nEvil: yes": "a%0D%0AEvil%3A%20yes", "a\x00": "a%00", " ": "%20", "a b": "a%20b", "\u00e9": "%C3%A9", "\xff": "%FF",
		"http://evil/": "http%3A%2F%2Fevil%2F", "evil/": "evil%2F", "[::1]": "%5B%3A%3A1%5D", "::1": "%3A%3A1", "::1]:99": "%3A%3A1%5D%3A99", "!vhost": "%21vhost",
		"file:///etc/passwd": "file%3A%2F%2F%2Fetc%2Fpasswd", "a\\b": "a%5Cb", "a\tb": "a%09b", "%00": "%2500", "//evil": "%2F%2Fevil", "\x7f": "%7F",
	}
	for _, v := range hostileValues {
		for _, form := range []string{"path", "query"} {
			if got, err := expandIn(t, "http_url", "/a/${m|"+form+"}/b", v); got != "/a/"+encoded[v]+"/b" || err != nil {
				t.Errorf("|%s with %q: got %q, %v; want %q", form, v, got, err, "/a/"+encoded[v]+"/b")
			}
		}
		refused := strings.ContainsAny(v, "# \r\n\t\x00\x7f") || strings.IndexFunc(v, func(r rune) bool { return r > 0x7F }) >= 0
		got, err := expandIn(t, "http_url", "/a/${m}/b", v)
		if refused && !errors.Is(err, ErrValue) || !refused && (err != nil || got != "/a/"+v+"/b") {
			t.Errorf("plain with %q: got %q, %v; want it refused: %v", v, got, err, refused)
		}
	}
	for _, c := range []struct{ text, v, want string }{
		{"${m|path}", "A-z_0.9~", "A-z_0.9~"}, {"${m|path}", "", ""}, {"${m|path}", "...", "..."}, {"${m|path}", "a..", "a.."}, {"?${m|query}", "..", "?.."},
		{"/${m|path}${n}${m}", "a", "/aa"},
	} {
		if got, err := expandIn(t, "http_url", c.text, c.v); got != c.want || err != nil {
			t.Errorf("%s with %q: got %q, %v; want %q", c.text, c.v, got, err, c.want)
		}
	}
	for _, v := range []string{".", ".."} {
		if got, err := expandIn(t, "http_url", "/a/${m|path}", v); !errors.Is(err, ErrValue) {
			t.Errorf("|path with %q: got %q, %v; want it refused", v, got, err)
		}
	}
}

// TestExpansionIsBounded: an expansion stops at what its key can hold, before it is made, whatever the values are.
func TestExpansionIsBounded(t *testing.T) {
	for _, c := range []struct {
		key, text string
		size      int // of the value
		most      int
		ok        bool
	}{
		{"http_url", "/${m}", MaxTarget - 1, MaxTarget, true},
		{"http_url", "/${m}", MaxTarget, MaxTarget, false},
		{"http_url", strings.Repeat("${m}", maxUses), 1 << 20, MaxTarget, false},
		{"http_url", strings.Repeat("${m|path}", maxUses), 1 << 20, MaxTarget, false},
		{"http_url", strings.Repeat("${m}", maxUses), MaxTarget / maxUses, MaxTarget, true},
		{"endpoint", "http://h/${m}", 1 << 20, MaxTarget, false},
		{"endpoint", "${m}", 1 << 20, MaxTarget, false},
		{"mqtt_topic", "${m}", maxMQTT, maxMQTT, true},
		{"mqtt_topic", "${m}${m}", maxMQTT, maxMQTT, false},
		{"mqtt_will_message", "${m}", maxMQTT + 1, maxMQTT, false},
	} {
		got, err := expandIn(t, c.key, c.text, strings.Repeat("a", c.size))
		if c.ok != (err == nil) || len(got) > c.most || err != nil && !errors.Is(err, ErrValue) {
			t.Errorf("%s %.20q with %d bytes: got %d bytes, %v; want it to fit: %v", c.key, c.text, c.size, len(got), err, c.ok)
		}
	}
	// A document with more values than a template may have is refused, not expanded.
	wantProblems(t, `{"s":[{"a":{"metadata":[{"a":""}],"endpoint":"::1","port":1,"http_url":"`+strings.Repeat("${a}", maxUses+1)+`"}}]}`,
		"error: 1:72: s[0].a.http_url: more than 64 values in one text: use fewer")
	wantProblems(t, `{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"/`+strings.Repeat("a", MaxTarget)+`"}}]}`,
		"error: 1:50: s[0].a.http_url: 8001 bytes: 8000 are possible")
}

// TestValuesInTopics: a value cannot make a topic a filter.
func TestValuesInTopics(t *testing.T) {
	for _, c := range []struct {
		key, v string
		ok     bool
	}{
		{"mqtt_topic", "a/b", true}, {"mqtt_topic", "+", false}, {"mqtt_topic", "a/#", false}, {"mqtt_topic", "a\x00", false},
		{"mqtt_subscribe", "+", true}, {"mqtt_subscribe", "a\x00", false}, {"mqtt_will_message", "+#\x00\n", true},
	} {
		if got, err := expandIn(t, c.key, "x/${m}", c.v); c.ok != (err == nil) || err != nil && !errors.Is(err, ErrValue) {
			t.Errorf("%s with %q: got %q, %v; want it accepted: %v", c.key, c.v, got, err, c.ok)
		}
	}
}

// TestEndpointMistakes: the literal text of an endpoint is judged when the document is read.
func TestEndpointMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"file:///etc/motd":    "file:// is not an endpoint: the specification does not have it; read the file in the program",
		"FILE://x":            "file:// is not an endpoint: the specification does not have it; read the file in the program",
		"gopher://h/":         `unknown scheme "gopher": use http, https, ws, wss, mqtt, mqtts, tcp or raw`,
		"://h":                `unknown scheme "": use http, https, ws, wss, mqtt, mqtts, tcp or raw`,
		"${m}://h":            "the scheme depends on a value: write it out, as in https://${host}",
		"ht${m}://h":          "the scheme depends on a value: write it out, as in https://${host}",
		"http://":             "there is no host in it: write one after ://",
		"http:///x":           "there is no host in it: write one after ://",
		"http://:80":          "there is no host in it: write one after ://",
		"http://h:":           `"" is not a port: a port is 1 to 65535`,
		"http://h:0":          `"0" is not a port: a port is 1 to 65535`,
		"http://h:65536":      `"65536" is not a port: a port is 1 to 65535`,
		"http://h:8x":         `"8x" is not a port: a port is 1 to 65535`,
		"http://h:8${m}x":     `"81x" is not a port: a port is 1 to 65535`,
		"http://u@h":          "user and password in a URL are not used: drop them; http_auth_header sends a token",
		"http://${m}@h":       "user and password in a URL are not used: drop them; http_auth_header sends a token",
		"http://h/x#y":        "a fragment is never sent: drop the # and what follows",
		"http://::1:80":       `"::1" is not a host: an IPv6 address in a URL needs [ ]`,
		"http://[::1":         `"[::1" is not a host: an IPv6 address in a URL needs [ ]`,
		"h/path":              `'/' is not allowed in a host name: write a URL, as in http://host/path, or drop it`,
		"h:80":                `a host has no port in it: give "port", or write a URL`,
		"+":                   `a Unix socket needs a path or a name: write "+/path" or "+@name"`,
		"+@":                  `a Unix socket needs a path or a name: write "+/path" or "+@name"`,
		"!vhost":              `! joins the vhost of a server: name a host, or add "server": true`,
		"${m|path}":           "|path and |query do not encode for a host: they are for paths and queries; drop them here",
		"http://h:${m|query}": "|path and |query do not encode for a port number: they are for paths and queries; drop them here",
		"http://h/${m|html}":  `no encoding is called "html": write |path for a segment of a path, |query for an argument of a query`,
	} {
		wantProblems(t, `{"s":[{"a":{"endpoint":"`+text+`","port":1,"metadata":[{"m":""}]}}]}`, "error: 1:24: s[0].a.endpoint: "+want)
	}
	for _, text := range []string{"h", "${m}", "${m}.x", "http://${m}:${m}/${m}", "http://[${m}]:1", "http://[::1]:80/a?b", "::1", "[::1]", "fe80::1%eth0",
		"HTTPS://h", "+/a b", "+@x", "+${m}", "tcp://h:1", "${m}${m}"} {
		if _, err := Parse([]byte(`{"s":[{"a":{"endpoint":"` + text + `","port":1,"metadata":[{"m":""}]}}]}`)); err != nil {
			t.Errorf("%s: got %v, want it accepted", text, err)
		}
	}
}

// TestEncodingKeepsOldNames: a metadata item that is called as an encoding would be keeps its meaning.
func TestEncodingKeepsOldNames(t *testing.T) {
	p, err := Parse([]byte(`{"s":[{"a":{"http_url":"/${id|path}","metadata":[{"id":""},{"id|path":""}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Stream("a").HTTP.URL.Append(nil, func(i int) []byte { return fmt.Appendf(nil, "%d/", i) })
	if string(got) != "/1/" || err != nil {
		t.Errorf("got %q, %v; want %q: the item of that name, as it is", got, err, "/1/")
	}
}

func TestEndpointForm(t *testing.T) {
	for text, want := range map[string]EndpointForm{
		"": NoEndpoint, "h": HostEndpoint, "${m}": HostEndpoint, "${m}://x": HostEndpoint, "a${m}": HostEndpoint, "http://${m}": URLEndpoint,
		"+x": UnixEndpoint, "+${m}": UnixEndpoint, "!v": VhostEndpoint, "::1": HostEndpoint,
	} {
		if got := EndpointFormOf(text); got != want {
			t.Errorf("%q: got form %d, want %d", text, got, want)
		}
	}
}
