package main

import (
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
		url, method    string
		data           bool
		kind, endpoint string
		path           string
	}{
		{"http://host", "", false, "__default", "http://host", "/"},
		{"HTTP://host:81/", "", false, "__default", "http://host:81", "/"},
		{"http://[::1]:81/a", "", false, "__default", "http://[::1]:81", "/a"},
		{"HTTPS://host/a", "", false, "__default", "https://host", "/a"},
		{"http://host?q=/", "", false, "__default", "http://host", "/?q=/"},
		{"http://host/a#b", "head", false, "__default_head", "http://host", "/a"},
		{"http://host#b", "", true, "__default_post", "http://host", "/"},
		{"http://host", "PUT", true, "__default_put", "http://host", "/"},
	} {
		o := &fetchFlags{method: c.method, hasData: c.data, metadata: metadata{{"agent", "mine"}}}
		p, err := o.fromURLs([]string{c.url})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		last := map[string]string{} // a later -m overrides
		for _, m := range o.targets[0].metadata {
			last[m.name] = m.value
			if p.Stream(o.stream).MetadataIndex(m.name) < 0 {
				t.Errorf("%s: the built-in stream type %s does not declare %q", c.url, o.stream, m.name)
			}
		}
		if o.stream != c.kind || last["endpoint"] != c.endpoint || last["path"] != c.path || last["agent"] != "mine" {
			t.Errorf("%s: type %s with %v, want %s, endpoint %q, path %q, agent \"mine\"", c.url, o.stream, last, c.kind, c.endpoint, c.path)
		}
	}
}
