package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFetchURL(t *testing.T) {
	at := web(t)
	url := "http://" + at
	file := write(t, "data", "from a file")
	for _, c := range []struct {
		args   []string
		status int
		out    string
	}{
		{[]string{url}, exitOK, `GET / length 0 tag "" type "": `},
		{[]string{url + "/a/b?c=d#fragment"}, exitOK, `GET /a/b?c=d length 0 tag "" type "": `},
		{[]string{url + "?q"}, exitOK, `GET /?q length 0 tag "" type "": `},
		{[]string{"-X", "delete", url}, exitOK, `DELETE / length 0 tag "" type "": `},
		{[]string{"-X", "HEAD", url}, exitOK, ""},
		{[]string{"-X", "POST", url}, exitOK, `POST / length 0 tag "" type "": `},
		{[]string{url, "--data", "text", "-m", "mime=text/x"}, exitOK, `POST / length 4 tag "" type "text/x": text`},
		{[]string{url, "--data", ""}, exitOK, `POST / length 0 tag "" type "": `},
		{[]string{url, "-X", "PUT", "--data", "@" + file}, exitOK, `PUT / length 11 tag "" type "": from a file`},
		{[]string{url, "--data", "@-"}, exitOK, `POST / length -1 tag "" type "": from a pipe`},
		{[]string{url + "/no"}, exitRefused, "no such thing\n"},
		{[]string{url + "/cut"}, exitUnreachable, "part"},
		{[]string{url + "/hang", "--timeout", "100ms"}, exitUnreachable, ""},
	} {
		r := runWith(strings.NewReader("from a pipe"), append([]string{"fetch"}, c.args...)...)
		if r.status != c.status || r.out != c.out {
			t.Errorf("millrace fetch %q: status %d and %q, want %d and %q\n%s", c.args, r.status, r.out, c.status, c.out, r.err)
		}
	}
	run("fetch", url+"/no").expect(t, exitRefused, "refused by the peer (nack)")
	run("fetch", url+"/cut").expect(t, exitUnreachable, "ended before the payload was complete")
	run("fetch", url+"/hang", "--timeout", "50ms").expect(t, exitUnreachable, "timed out")
	run("fetch", url+"/moved").expect(t, exitUnreachable, "redirect")
}

func TestFromURL(t *testing.T) {
	for _, c := range []struct {
		url, method string
		data        bool
		kind        string
		scheme      string
		host, port  string
		path        string
	}{
		{"http://host", "", false, "__default", "http", "host", "80", "/"},
		{"HTTP://host:81/", "", false, "__default", "http", "host", "81", "/"},
		{"http://host:/", "", false, "__default", "http", "host", "80", "/"},
		{"http://[::1]:81/a", "", false, "__default", "http", "[::1]", "81", "/a"},
		{"http://[::1]", "", false, "__default", "http", "[::1]", "80", "/"},
		{"HTTPS://host/a", "", false, "__default", "https", "host", "443", "/a"},
		{"wss://host/a", "", false, "__default_ws", "wss", "host", "443", "/a"},
		{"http://host?q=/", "", false, "__default", "http", "host", "80", "/?q=/"},
		{"http://host/a#b", "head", false, "__default_head", "http", "host", "80", "/a"},
		{"http://host#b", "", true, "__default_post", "http", "host", "80", "/"},
		{"http://host", "PUT", true, "__default_put", "http", "host", "80", "/"},
	} {
		o := &fetchFlags{method: c.method, hasData: c.data, metadata: metadata{{"agent", "mine"}}}
		p, err := o.fromURLs([]string{c.url})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		stream := p.Stream(o.streamFor(&o.targets[0]))
		last := map[string]string{} // a later -m overrides
		for _, m := range o.targets[0].metadata {
			last[m.name] = m.value
			if stream.MetadataIndex(m.name) < 0 {
				t.Errorf("%s: the built-in stream type %s does not declare %q", c.url, o.stream, m.name)
			}
		}
		got := []string{stream.Name, stream.Endpoint.String(), last["host"], last["port"], last["path"], last["agent"]}
		if want := []string{c.kind, c.scheme + "://${host}:${port}", c.host, c.port, c.path, "mine"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.url, got, want)
		}
	}
}

// TestFromURLs checks a command with URLs in clear text and over TLS: each has a stream type with its own scheme.
func TestFromURLs(t *testing.T) {
	urls := []string{"http://a/", "https://b/", "http://c/"}
	o := &fetchFlags{}
	p, err := o.fromURLs(urls)
	if err != nil {
		t.Fatal(err)
	}
	for i, url := range urls {
		scheme, _, _ := strings.Cut(url, ":")
		if s := p.Stream(o.streamFor(&o.targets[i])); s == nil || s.Endpoint.String() != scheme+"://${host}:${port}" {
			t.Errorf("%s: got stream type %+v, want one with the scheme %s", url, s, scheme)
		}
	}
	for _, url := range []string{"http://::1/", "http://::1:80/", "http://", "http://:80/", "http://u:p@host/"} {
		if _, err := new(fetchFlags).fromURLs([]string{url}); err == nil {
			t.Errorf("%s: got no error, want one", url)
		}
	}
}

// TestFetchWaitsForItsTimeoutAlone: with a URL --timeout is the one limit. No stream type of the built-in policies gives up
// a server that takes its time, for a response, in the middle of one, or for a WebSocket's handshake.
func TestFetchWaitsForItsTimeoutAlone(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1/", "https://127.0.0.1/", "ws://127.0.0.1/", "wss://127.0.0.1/"} {
		for _, http2 := range []bool{false, true} {
			o := fetchFlags{http2: http2}
			p, err := o.fromURLs([]string{url})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Streams {
				if s.ResponseWait() != 0 || s.Timeout != 0 {
					t.Errorf("%s, stream type %s: waits %v for a response, timeout_ms %v; want no limit", url, s.Name, s.ResponseWait(), s.Timeout)
				}
			}
			if one, two := o.clientLimits(); one.Timeouts.Body != 0 || one.Timeouts.Response != 0 || two.Timeouts.Body != 0 || two.Timeouts.Response != 0 {
				t.Errorf("%s: a pause inside a response: %v, %v; want no limit", url, one.Timeouts, two.Timeouts)
			}
		}
	}
}

// TestFetchDoesNotPassTheProxyBy: a proxy in the environment is not spoken to yet, and nothing goes out directly.
func TestFetchDoesNotPassTheProxyBy(t *testing.T) {
	at := web(t)
	t.Setenv("socks_proxy", "127.0.0.1:1080")
	run("fetch", "http://"+at).expect(t, exitUsage, "socks_proxy")
	doc := `{"s":[{"a":{"endpoint":"127.0.0.1","port":%s,"opportunistic":true%s}}]}`
	run("fetch", "--policy", write(t, "a.json", fmt.Sprintf(doc, port(at), "")), "--stream", "a").expect(t, exitUsage, "socks_proxy")
	run("fetch", "--policy", write(t, "b.json", fmt.Sprintf(doc, port(at), `,"via-socks5":"none"`)), "--stream", "a").expect(t, exitOK, "GET /")
	t.Setenv("no_proxy", "127.0.0.1")
	run("fetch", "http://"+at).expect(t, exitOK, "GET /")
	t.Setenv("no_proxy", "")
	t.Setenv("socks_proxy", "")
	run("fetch", "http://"+at).expect(t, exitOK, "GET /")
}

// TestFetchDoesNotPassAnHTTPProxyBy: the same for http_proxy, of what goes out in clear, and https_proxy, of TLS, unless
// no_proxy exempts the host.
func TestFetchDoesNotPassAnHTTPProxyBy(t *testing.T) {
	at := web(t)
	const proxy = "http://127.0.0.1:3128"
	doc := write(t, "a.json", fmt.Sprintf(`{"s":[{"a":{"endpoint":"127.0.0.1","port":%s,"opportunistic":true}},`+
		`{"u":{"endpoint":"+@no-listener","opportunistic":true}},{"s":{"endpoint":"127.0.0.1","port":1,"tls":true,"opportunistic":true}}]}`, port(at)))
	for _, c := range []struct {
		env, exempt string
		args        []string
		status      int
		says        string
	}{
		{"http_proxy", "", []string{"http://" + at}, exitUsage, "http_proxy"},
		{"http_proxy", "", []string{"ws://" + at}, exitUsage, "http_proxy"},
		{"http_proxy", "", []string{"--policy", doc, "--stream", "a"}, exitUsage, "http_proxy"},
		{"http_proxy", "", []string{"--policy", doc, "--stream", "u"}, exitUnreachable, ""},
		{"http_proxy", "", []string{"https://127.0.0.1:1/"}, exitUnreachable, ""},
		{"https_proxy", "", []string{"https://127.0.0.1:1/"}, exitUsage, "https_proxy"},
		{"HTTPS_PROXY", "", []string{"wss://127.0.0.1:1/"}, exitUsage, "https_proxy"},
		{"https_proxy", "", []string{"--policy", doc, "--stream", "s"}, exitUsage, "https_proxy"},
		{"https_proxy", "", []string{"http://" + at}, exitOK, "GET /"},
		{"http_proxy", "127.0.0.1", []string{"http://" + at}, exitOK, "GET /"},
		{"http_proxy", "127.0.0.1", []string{"http://" + at, "http://127.0.0.2:1/"}, exitUsage, "127.0.0.2"},
		{"http_proxy", "*", []string{"--policy", doc, "--stream", "a"}, exitOK, "GET /"},
	} {
		t.Run(c.env+" "+c.exempt+" "+c.args[len(c.args)-1], func(t *testing.T) {
			t.Setenv(c.env, proxy)
			t.Setenv("no_proxy", c.exempt)
			run(append([]string{"fetch"}, c.args...)...).expect(t, c.status, c.says)
		})
	}
}

// TestNoProxy: which hosts the list in no_proxy exempts.
func TestNoProxy(t *testing.T) {
	for _, c := range []struct {
		list, host string
		want       bool
	}{
		{"", "a.example", false}, {"*", "a.example", true}, {"a.example", "a.example", true}, {"A.Example", "a.eXample.", true},
		{"example", "a.example", true}, {".example", "a.example", true}, {"*.example", "a.example", true}, {"example", "notexample", false},
		{"b.example, a.example", "a.example", true}, {"a.example:80", "a.example", true}, {"127.0.0.1", "127.0.0.1", true}, {"0.0.1", "127.0.0.1", false},
		{"::1", "::1", true}, {"[::1]:80", "::1", true}, {"::1", "::2", false}, {",", "a.example", false}, {".", "a.example", false},
	} {
		if got := noProxy(c.list, c.host); got != c.want {
			t.Errorf("no_proxy %q, host %q: exempt %v, want %v", c.list, c.host, got, c.want)
		}
	}
}
