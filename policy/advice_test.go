package policy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// problems returns the problems that Check finds in a document, a line each: "error: " or "warning: ", and the whole text.
func problems(doc string) (list []string) {
	_, warnings, err := Check([]byte(doc))
	var e *Errors
	if errors.As(err, &e) {
		for _, p := range e.Problems {
			list = append(list, "error: "+p.String())
		}
	}
	for _, w := range warnings {
		list = append(list, "warning: "+w.String())
	}
	return list
}

// wantProblems compares the problems that Check finds in a document with want.
func wantProblems(t *testing.T, doc string, want ...string) {
	t.Helper()
	got := problems(doc)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %s\nwant %s", doc, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// TestClearTextByMistake: a stream type that has keys about TLS but sends clear text is an error, in any order of the keys,
// unless the document states that clear text is intended.
func TestClearTextByMistake(t *testing.T) {
	const store = `{"certs":[{"c":"AAAA"}],"trust_stores":[{"t":["c"]}],` + "\n"
	const inClear = "has no effect without TLS: the stream type would send clear text: set \"tls\": true, or remove "
	for _, c := range []struct {
		members string
		want    []string
	}{
		{`"endpoint":"::1","port":80,"tls":true,"tls_trust_store":"t"`, nil},
		{`"endpoint":"https://[::1]/","tls_trust_store":"t"`, nil},
		{`"endpoint":"::1","port":80,"tls_trust_store":"t"`, []string{"error: 2:40: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"tls_trust_store":"t","endpoint":"::1","port":80`, []string{"error: 2:13: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"endpoint":"::1","port":80,"tls":false,"tls_trust_store":"t"`, []string{"error: 2:52: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"endpoint":"http://[::1]/","tls_trust_store":"t"`, []string{"error: 2:40: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"endpoint":"+/run/x","tls_trust_store":"t"`, []string{"error: 2:34: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"endpoint":"::1","port":80,"tls_min_version":"1.3"`, []string{"error: 2:40: s[0].a.tls_min_version: " + inClear + "tls_min_version"}},
		{`"endpoint":"::1","port":80,"tls_groups":"X25519","client cert":0`, []string{
			"error: 2:40: s[0].a.tls_groups: " + inClear + "tls_groups", `error: 2:62: s[0].a["client cert"]: ` + inClear + "client_cert"}},
		{`"endpoint":"::1","port":80,"tls":false,"tls_min_version":"1.3"`, []string{
			`warning: 2:52: s[0].a.tls_min_version: has no effect with "tls": false: remove it`}},
		{`"server":true,"port":80,"server_cert":"c"`, []string{"error: 2:37: s[0].a.server_cert: " + inClear + "server_cert"}},

		{`"endpoint":"::1","port":80,"tls_trust_store":"t","allow_redirects":true`, []string{"error: 2:40: s[0].a.tls_trust_store: " + inClear + "tls_trust_store"}},
		{`"endpoint":"::1","port":80,"tls":false,"tls_trust_store":"t","allow_redirects":true`, []string{
			"warning: 2:52: s[0].a.tls_trust_store: the stream type starts in clear text; this applies only after a redirect to TLS"}},
		{`"endpoint":"http://[::1]/","tls_trust_store":"t","allow_redirects":true`, []string{
			"warning: 2:40: s[0].a.tls_trust_store: the stream type starts in clear text; this applies only after a redirect to TLS"}},

		{`"endpoint":"::1","port":443`, []string{
			`error: 2:37: s[0].a.port: port 443 without "tls": the stream type would send clear text: set "tls": true; clear text on this port needs "tls": false`}},
		{`"server":true,"port":443`, []string{
			`error: 2:34: s[0].a.port: port 443 without "tls": the stream type would send clear text: set "tls": true; clear text on this port needs "tls": false`}},
		{`"protocol":"raw","port":443,"endpoint":"::1"`, []string{
			`error: 2:37: s[0].a.port: port 443 without "tls": the stream type would send clear text: set "tls": true; clear text on this port needs "tls": false`}},
		{`"endpoint":"::1","port":443,"tls":false`, []string{
			`warning: 2:37: s[0].a.port: clear text on port 443, since "tls" is false: set "tls": true if TLS is intended`}},
		{`"tls":false,"server":true,"port":443`, []string{
			`warning: 2:46: s[0].a.port: clear text on port 443, since "tls" is false: set "tls": true if TLS is intended`}},
		{`"endpoint":"::1","port":443,"tls":true`, nil},
		{`"endpoint":"https://[::1]/","port":443`, nil},
		{`"endpoint":"+/run/x","port":443`, nil},
		{`"endpoint":"http://[::1]/","port":443`, nil}, // the URL's port is 80
		{`"endpoint":"ws://[::1]:443/","protocol":"ws"`, []string{
			`warning: 2:24: s[0].a.endpoint: clear text on port 443, because of the scheme: write wss if TLS is intended`}},

		{`"endpoint":"http://[::1]/","tls":true`, []string{
			`error: 2:24: s[0].a.endpoint: the scheme http is without the TLS that "tls": true demands: write https, or drop "tls"`}},
		{`"endpoint":"tcp://[::1]:5","tls":true,"protocol":"raw"`, []string{
			`error: 2:24: s[0].a.endpoint: the scheme tcp is without the TLS that "tls": true demands: write https, or drop "tls"`}},
	} {
		wantProblems(t, store+` "s":[{"a":{`+c.members+`}}]}`, c.want...)
	}
}

// TestProtocolsThatAreSchemes: a scheme as the value of protocol is an error that names the protocol to use, and TLS where
// the scheme implies it.
func TestProtocolsThatAreSchemes(t *testing.T) {
	for name, want := range map[string]string{
		"wss":       `"wss" is a scheme, not a protocol: by itself it would not bring TLS: use "ws" with "tls": true`,
		"https":     `"https" is a scheme, not a protocol: by itself it would not bring TLS: use "h1" or "h2", with "tls": true`,
		"mqtts":     `"mqtts" is a scheme, not a protocol: by itself it would not bring TLS: use "mqtt" with "tls": true`,
		"http":      `"http" is a scheme, not a protocol: use "h1" or "h2"`,
		"tcp":       `"tcp" is not a protocol: use "raw"`,
		"tls":       `"tls" is not a protocol: use "raw" with "tls": true`,
		"ssl":       `"ssl" is not a protocol: use "raw" with "tls": true`,
		"websocket": `"websocket" is called "ws" here: use "ws", over TLS with "tls": true`,
		"http/1.1":  `"http/1.1" is called "h1" here: use "h1"`,
		"http/2":    `"http/2" is called "h2" here: use "h2"`,
		"h2c":       `"h2c" is called "h2" here: use "h2" without "tls"`,
		"h3":        `h3 is not supported: use one of h1, h2, ws, mqtt, raw`,
		"zork":      `unknown protocol "zork": want one of h1, h2, ws, mqtt, raw, h1get`,
	} {
		wantProblems(t, `{"s":[{"a":{"protocol":"`+name+`"}}]}`, "error: 1:24: s[0].a.protocol: "+want)
	}
}

// TestBooleansAsNumbers: 0 and 1 are accepted as booleans everywhere, with a warning at their position; other numbers
// are errors.
func TestBooleansAsNumbers(t *testing.T) {
	wantProblems(t, `{"s":[{"a":{"endpoint":"::1","port":1,"tls":1,`+"\n"+`"perf":0,"http_cookies":true}}]}`,
		"warning: 1:45: s[0].a.tls: the number 1 is read as true: write true",
		"warning: 2:8: s[0].a.perf: the number 0 is read as false: write false")
	for _, k := range keysOf("s") {
		if k.kind != kindBool {
			continue
		}
		for _, n := range []string{"0", "1"} {
			doc, path := within("s", around(k)+`"`+k.name+`":`+n)
			p, warnings, err := Check([]byte(doc))
			if err != nil {
				t.Errorf("%s: %v", doc, err)
				continue
			}
			asWord, _ := within("s", around(k)+`"`+k.name+`":`+map[string]string{"0": "false", "1": "true"}[n])
			q, err := Parse([]byte(asWord))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := p.Stream("a"), q.Stream("a"); !equalStreams(got, want) {
				t.Errorf("%s: got %+v, want what %s means: %+v", doc, got, asWord, want)
			}
			said := false
			for _, w := range warnings {
				said = said || w.Path == joinPath(path, k.name) && w.Line == 1 && w.Col > 0 && strings.HasPrefix(w.Msg, "the number "+n)
			}
			if !said {
				t.Errorf("%s: warnings %v, want one at %s", doc, warnings, joinPath(path, k.name))
			}
		}
	}
}

// TestAdvice: a legal value that cannot work, or has another effect than it seems, causes a warning with its position.
func TestAdvice(t *testing.T) {
	const refused = "streams of this type are refused when they are created"
	const later = "read and checked, but this release does not act on it yet"
	for _, c := range []struct {
		doc  string
		want []string
	}{
		{`{"s":[{"a":{"endpoint":"127.0.0.1","port":80}}]}`, nil},
		{`{"release":"1","product":"p","s":[]}`, []string{"warning: 1:2: release: " + later, "warning: 1:16: product: " + later}},
		{`{"metrics":[{"name":"m","us_schedule":1}],"auth":[{"name":"n"}],"s":[]}`, []string{
			"warning: 1:2: metrics: " + later, "warning: 1:43: auth: " + later}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"protocol":"mqtt","mqtt_qos":1}}]}`, []string{
			"warning: 1:50: s[0].a.protocol: mqtt is read and checked, but not implemented yet: " + refused,
			"warning: 1:57: s[0].a.mqtt_qos: " + later}},

		// names
		{`{"s":[{"a":{"endpoint":"warmcat.com","port":80}}]}`, []string{
			`warning: 1:24: s[0].a.endpoint: the name "warmcat.com" needs DNS, which this release does not have: give an address, a name of the hosts file, or a resolver of the program's own`}},
		{`{"s":[{"a":{"endpoint":"https://Example.org:8443/x"}}]}`, []string{
			`warning: 1:24: s[0].a.endpoint: the name "Example.org" needs DNS, which this release does not have: give an address, a name of the hosts file, or a resolver of the program's own`}},
		{`{"s":[{"a":{"endpoint":"LocalHost.","port":80}},{"b":{"endpoint":"x.localhost","port":80}},{"c":{"endpoint":"http://[::1]:80"}},{"d":{"endpoint":"fe80::1%eth0","port":1}},{"e":{"endpoint":"+@x"}},{"f":{"server":true,"endpoint":"eth0","port":1}}]}`, nil},

		// what is refused
		{`{"s":[{"a":{"server":true,"endpoint":"!web"}}]}`, []string{"warning: 1:38: s[0].a.endpoint: joining a vhost is not implemented yet: " + refused}},
		{`{"via-socks5":"127.0.0.1:1080","s":[{"a":{"endpoint":"::1","port":1}}]}`, []string{
			"warning: 1:15: via-socks5: SOCKS5 is read and checked, but not implemented yet: client streams over TCP are refused when they are created"}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"via_socks5":"127.0.0.1:1080"}},{"b":{"endpoint":"::1","port":1,"via-socks5":"none"}}]}`, []string{
			"warning: 1:52: s[0].a.via_socks5: SOCKS5 is read and checked, but not implemented yet: " + refused}},
		{`{"auth":[{"name":"n"}],"s":[{"a":{"endpoint":"::1","port":1,"use_auth":"n"}}]}`, []string{
			"warning: 1:2: auth: " + later,
			"warning: 1:72: s[0].a.use_auth: authentication is read and checked, but not implemented yet: " + refused}},
		{`{"s":[{"a":{"local_sink":true}},{"b":{"local_sink":false,"endpoint":"::1","port":1}}]}`, []string{
			"warning: 1:26: s[0].a.local_sink: local sinks are not in the specification and not implemented: " + refused}},
		{`{"s":[{"_lws_smd":{"endpoint":"::1","port":1}}]}`, []string{
			"warning: 1:19: s[0]._lws_smd: system messages are not in the specification and not implemented: " + refused}},

		// stream types that the reference knows by their names
		{`{"s":[{"fetch_policy":{"endpoint":"::1","port":1}},{"captive_portal_detect":{"endpoint":"::1","port":1}}]}`, []string{
			"warning: 1:23: s[0].fetch_policy: no policy is fetched yet: a stream of this type does nothing by itself",
			"warning: 1:77: s[1].captive_portal_detect: captive portals are not detected yet: a stream of this type does nothing by itself"}},

		// what contradicts itself
		{`{"retry":[{"r":{"conceal":65535}}],"s":[{"a":{"endpoint":"::1","port":1,"retry":"r","opportunistic":true,"nailed_up":true}}]}`, []string{
			"warning: 1:85: s[0].a.opportunistic: nailed_up is given too, and takes precedence: remove one of them"}},
		{`{"retry":[{"r":{"backoff":[1000,2000],"jitterpc":0,"conceal":3}}],"s":[{"a":{"endpoint":"::1","port":1,"retry":"r","nailed_up":true}}]}`, []string{
			`warning: 1:116: s[0].a.nailed_up: after 4 failures in a row, about 5s, the stream stops trying until the program asks it to connect: give it a retry scheme with "conceal": 65535 never to give up`}},
		{`{"retry":[{"r":{"conceal":65535}}],"s":[{"a":{"endpoint":"::1","port":1,"retry":"r","http_method":"POST","nailed_up":true}}]}`, []string{
			`warning: 1:106: s[0].a.nailed_up: when the connection is lost, the request is not repeated: the server may have processed it, and POST is not idempotent: set "http_retry_unsafe": true if the request may be repeated`}},
		{`{"retry":[{"r":{"conceal":65535}}],"s":[{"a":{"endpoint":"::1","port":1,"retry":"r","http_method":"POST","nailed_up":true,"http_retry_unsafe":true}},` +
			`{"b":{"endpoint":"::1","port":1,"retry":"r","http_method":"PUT","nailed_up":true}},{"c":{"endpoint":"::1","port":1,"retry":"r","protocol":"ws","nailed_up":true}}]}`, nil},
		{`{"s":[{"a":{"server":true,"port":1,"nailed_up":true}}]}`, []string{"warning: 1:36: s[0].a.nailed_up: means nothing to a server: remove it"}},

		// what is missing
		{`{"s":[{"a":{"port":1}},{"b":{"server":true}}]}`, []string{
			`warning: 1:8: s[0].a: no endpoint: give "endpoint", the host to connect to`,
			`warning: 1:25: s[1].b: no port: give "port", or an "endpoint" that begins with "+" for a Unix socket`}},

		// values of a URL
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"/users/${id}/x","metadata":[{"id":""}]}}]}`, []string{
			"warning: 1:50: s[0].a.http_url: the value of ${id} is inserted as it is, and may add segments and arguments: write ${id|path} to encode it"}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"x?q=${id}","metadata":[{"id":""}]}}]}`, []string{
			"warning: 1:50: s[0].a.http_url: the value of ${id} is inserted as it is, and may add segments and arguments: write ${id|query} to encode it"}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"${p}?q=${id}","metadata":[{"id":"","p":""}]}}]}`, []string{
			"warning: 1:50: s[0].a.http_url: the value of ${id} is inserted as it is, and may add segments and arguments: write ${id|query} to encode it"}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"/${id}/x","metadata":[{"id":""}]}}]}`, []string{
			"warning: 1:50: s[0].a.http_url: the value of ${id} is inserted as it is, and may add segments and arguments: write ${id|path} to encode it"}},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"/${p}","metadata":[{"p":""}]}},{"b":{"endpoint":"::1","port":1,"http_url":"${p}","metadata":[{"p":""}]}},` +
			`{"c":{"endpoint":"::1","port":1,"http_url":"/a/${p|path}?q=${p|query}","metadata":[{"p":""}]}}]}`, nil},
		{`{"s":[{"a":{"endpoint":"::1","port":1,"http_url":"/a/${p|path}","metadata":[{"p":""},{"p|path":""}]}}]}`, []string{
			"warning: 1:50: s[0].a.http_url: the value of ${p|path} is inserted as it is, and may add segments and arguments: write ${p|path|path} to encode it",
			"warning: 1:76: s[0].a.metadata: ${p|path} is the metadata of that name, not an encoding of \"p\": rename it"}},
	} {
		wantProblems(t, c.doc, c.want...)
	}
}

// TestCheckAndParseAgree: Check finds the same problems as Parse, and warnings refuse nothing.
func TestCheckAndParseAgree(t *testing.T) {
	for _, doc := range []string{broken, specExample, `{`, `{"s":[{"a":{"urgent_tx":1}}]}`} {
		p, errP := Parse([]byte(doc))
		q, warnings, errC := Check([]byte(doc))
		if (p == nil) != (q == nil) || (errP == nil) != (errC == nil) || errP != nil && errP.Error() != errC.Error() {
			t.Errorf("%.60s: Parse says %v, Check %v", doc, errP, errC)
		}
		if errC != nil && warnings != nil {
			t.Errorf("%.60s: got warnings %v beside an error", doc, warnings)
		}
	}
}

// equalStreams compares what two stream types say, apart from the keys that were given.
func equalStreams(a, b *Stream) bool { return reflect.DeepEqual(a, b) }
