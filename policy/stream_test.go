package policy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// parseStream parses a stream type called "a" with these members, after a few definitions to refer to.
func parseStream(t *testing.T, members string) *Stream {
	t.Helper()
	p, err := Parse([]byte(`{"retry":[{"r":{}}],"certs":[{"c":"` + testCert().cert + `","k":"` + testCert().key + `"}],"s":[{"a":{` + members + `}}]}`))
	if err != nil {
		t.Fatalf("stream type {%s}: %v", members, err)
	}
	return p.Stream("a")
}

func TestCheckReady(t *testing.T) {
	for members, want := range map[string]string{
		`"endpoint":"x","port":80`:                                             "",
		`"endpoint":"${m}","metadata":[{"m":""}]`:                              "no port", // a host, whatever the value
		`"endpoint":"${m}","port":1,"metadata":[{"m":""}]`:                     "",
		`"endpoint":"+@sock"`:                                                  "",
		`"endpoint":"+/run/sock","protocol":"raw"`:                             "",
		`"endpoint":"http://x/"`:                                               "",
		`"local_sink":true`:                                                    "",
		`"server":true,"port":80`:                                              "",
		`"server":true,"port":0`:                                               "", // the system picks one
		`"server":true,"endpoint":"+@sock"`:                                    "",
		`"server":true,"endpoint":"!vhost"`:                                    "",
		`"server":true,"endpoint":"eth0","port":1`:                             "",
		`"server":true,"port":1,"tls":true,"server_cert":"c","server_key":"k"`: "",
		``:                        "no endpoint",
		`"port":80`:               "no endpoint",
		`"endpoint":"x"`:          "no port",
		`"endpoint":"x","port":0`: "no port",
		`"endpoint":"${m}.x","protocol":"raw","port":0,"metadata":[{"m":""}]`: "no port",
		`"endpoint":"x${m}","metadata":[{"m":""}]`:                            "no port",
		`"server":true`:                                       "no port",
		`"server":true,"endpoint":"eth0"`:                     "no port",
		`"server":true,"port":1,"tls":true`:                   "tls without certificate",
		`"server":true,"port":1,"tls":true,"server_cert":"c"`: "tls without certificate",
	} {
		err := parseStream(t, members).CheckReady()
		switch {
		case want == "" && err != nil:
			t.Errorf("{%s}: got %v, want it ready", members, err)
		case want != "" && (!errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), want)):
			t.Errorf("{%s}: got %v, want an ErrIncomplete with %q", members, err, want)
		}
	}
}

// TestAbsentIsNotZero: a key that is absent has its default, and can be told from the same value given.
func TestAbsentIsNotZero(t *testing.T) {
	absent, zero := parseStream(t, `"retry":"r"`), parseStream(t, `"retry":"r","port":0,"timeout_ms":0,"client_cert":0,"proxy_buflen":0,"tls":false`)
	if absent.HasPort || absent.HasTimeout || absent.HasClientCert || absent.Given("tls") || absent.Proxy.Buflen != 32768 {
		t.Errorf("absent keys: got %+v", absent)
	}
	if !zero.HasPort || !zero.HasTimeout || !zero.HasClientCert || !zero.Given("tls") || zero.Proxy.Buflen != 0 {
		t.Errorf("keys given as zero: got %+v", zero)
	}
	if r := absent.Retry; r.JitterPC != 30 || len(r.Backoff) != 1 || r.Backoff[0] != 3*time.Second {
		t.Errorf("empty retry scheme: got %+v, want 3 s and 30 %%", r)
	}
	p, err := Parse([]byte(`{"retry":[{"r":{"jitterpc":0}}],"s":[{"a":{}},{"b":{"retry":"r"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Stream("b").Retry.JitterPC; got != 0 {
		t.Errorf("jitterpc 0: got %d, want 0", got)
	}
	if got := p.Stream("a").Retry; got != DefaultRetry {
		t.Errorf("no retry: got %+v, want DefaultRetry", got)
	}
	if absent.Given("no such key") {
		t.Error("Given of a key that does not exist: got true")
	}
}

// TestDefaults: the defaults of a stream type without keys.
func TestDefaults(t *testing.T) {
	s := parseStream(t, ``)
	if s.Protocol != H1 || s.HTTP.Method != "GET" || !s.HTTP.URL.Empty() || s.HTTP.Expect != 0 || s.Server || s.TLS ||
		s.Opportunistic || s.NailedUp || s.Timeout != 0 || s.Proxy.ClientBuflen != 32768 || s.Auth != nil || s.TrustStore != nil {
		t.Errorf("got %+v", s)
	}
}

func TestMetadataIndex(t *testing.T) {
	s := parseStream(t, `"metadata":[{"a":"x-a:","b":""},{"c":"Accept"}]`)
	for name, want := range map[string]int{"a": 0, "b": 1, "c": 2, "": -1, "A": -1, "x-a": -1} {
		if got := s.MetadataIndex(name); got != want {
			t.Errorf("MetadataIndex(%q): got %d, want %d", name, got, want)
		}
	}
	if s.Metadata[0].Header != "x-a" || s.Metadata[1].Header != "" || s.Metadata[2].Header != "Accept" {
		t.Errorf("headers: got %q, want x-a, none, Accept", s.Metadata)
	}
	if n := testing.AllocsPerRun(100, func() { s.MetadataIndex("c") }); n != 0 {
		t.Errorf("MetadataIndex allocates %v times, want 0", n)
	}
}

func TestProtocolString(t *testing.T) {
	for p, want := range map[Protocol]string{H1: "h1", H2: "h2", H3: "h3", WS: "ws", MQTT: "mqtt", Raw: "raw", 9: "protocol(9)"} {
		if p.String() != want {
			t.Errorf("protocol %d: got %q, want %q", p, p, want)
		}
	}
}
