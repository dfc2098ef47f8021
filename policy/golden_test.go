package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deviation is a document for which our result differs from the reference's. want is every difference, in
// order; for a document that we refuse, our error contains each of problems.
type deviation struct {
	reason   string
	want     []string
	problems []string
}

var (
	weRefuse = []string{"accepted: reference true, we false"}
	weAccept = []string{"accepted: reference false, we true"}
)

const (
	oneMeaning = "A key twice in one object leaves open which was meant; the reference lets the later win, or both."
	rightType  = "A value of another type is a mistake that the reference hides by taking nothing or half of it."
	rightRange = "The reference takes the number modulo its field's width, or keeps one that means nothing."
	strictJSON = "The policy language is JSON (RFC 8259); section 3.1 of the behaviour page leaves the rest to a converter."
	noPhantoms = "An unknown key is an error; the reference makes a stream type of that name (section 8, 2)."
	exactNames = "Names match exactly; the reference matches prefixes (section 8, 3)."
	longString = "The reference keeps only the last piece of a string of 254 bytes or more (section 8, 4). Here the document also has the key twice."
	bothWays   = "The specification's spelling is accepted beside the reference's, which makes a phantom stream type of it."
	inClear    = "A key that is about TLS shows that TLS is meant; the reference sends everything in clear, without a word."
	wholeTable = "backoff is a table; the reference keeps its first entry (section 8, 1)."
)

// deviations is the complete list. For all other documents our result equals the reference's.
var deviations = map[string]deviation{
	"auth_blob_4":            {"There are four blobs, 0 to 3.", weRefuse, []string{"auth[0].blob: wants a whole number from 0 to 3, got 4"}},
	"auth_hexify":            {"The specification has the key.", []string{"stream types: reference [a auth_hexify], we [a]"}, nil},
	"aux_key":                {"aux is the old name of http_url in the specification's example; here both are given.", weRefuse, []string{`s[0].a.aux: duplicate key: another name of "http_url", first given at 1:179`}},
	"backoff_9":              {rightRange, weRefuse, []string{"retry[0].r.conceal: wants a whole number from 0 to 65535", "retry[0].r.jitterpc: wants a whole number from 0 to 255"}},
	"bool_as_int":            {"Shipped policies have 0 and 1 for booleans; they are read as they are meant, with a warning, and not passed over.", []string{"a: flags: reference [], we [tls]"}, nil},
	"bool_as_string":         {rightType, weRefuse, []string{`s[0].a.tls: wants true or false, got the string "true"`}},
	"bool_false_clears":      {oneMeaning, weRefuse, []string{`duplicate key "tls", first given at 1:194`}},
	"cert_bad_b64":           {"A certificate that cannot be decoded can verify nothing.", weRefuse, []string{"certs[0].c: not base64"}},
	"client_cert":            {inClear, weRefuse, []string{`s[0].a.client_cert: has no effect without TLS`}},
	"client_cert_space":      {bothWays, []string{"stream types: reference [a client cert], we [a]", "a: flags: reference [], we [tls]", "a: client_cert_plus1: reference 0, we 2"}, nil},
	"dup_streamtype":         {"Two definitions of one name leave open which was meant.", weRefuse, []string{"s[1].a: duplicate stream type, first defined at 1:8"}},
	"endpoint_int":           {oneMeaning + " " + rightType, weRefuse, []string{`duplicate key "endpoint"`, "s[0].a.endpoint: wants a string, got the number 5"}},
	"escapes":                {oneMeaning + " A line end in a URL would end the request line.", weRefuse, []string{`duplicate key "http_url"`, `'\n' is not allowed in a URL`}},
	"hash_comment_inner":     {strictJSON, weRefuse, []string{"1:3: JSON has no comments"}},
	"http_on_mqtt":           {"The reference stores both in one place and corrupts them.", weRefuse, []string{"s[0].a.http_url: http_url means nothing to mqtt streams"}},
	"metadata_as_object":     {rightType, weRefuse, []string{"s[0].a.metadata: wants an array of metadata"}},
	"metadata_nonstring":     {rightType, weRefuse, []string{"s[0].a.metadata[0].a: wants the name of a header field, got the number 1"}},
	"mismatched_close":       {strictJSON, weRefuse, []string{"} does not close the array that began at 1:6"}},
	"mqtt_qos_3":             {rightRange, weRefuse, []string{"s[0].a.mqtt_qos: wants a whole number from 0 to 2, got 3"}},
	"mqtt_qos_space":         {bothWays, []string{"stream types: reference [a mqtt qos], we [a]", "a: mqtt_qos: reference 0, we 1"}, nil},
	"null_value":             {oneMeaning + " " + rightType, weRefuse, []string{`duplicate key "endpoint"`, "s[0].a.endpoint: null is not a value"}},
	"options_pvo":            {"options are for servers; on a client the reference makes a phantom stream type of them.", weRefuse, []string{"s[0].a.options: options is for servers only"}},
	"port_big":               {oneMeaning + " " + rightRange, weRefuse, []string{`duplicate key "port"`, "s[0].a.port: wants a whole number from 0 to 65535, got 70000"}},
	"port_float":             {oneMeaning + " " + rightRange, weRefuse, []string{`duplicate key "port"`, "got 80.5: write it in digits alone"}},
	"port_neg":               {oneMeaning + " " + rightRange, weRefuse, []string{`duplicate key "port"`, "got -1"}},
	"port_string":            {oneMeaning + " " + rightType, weRefuse, []string{`duplicate key "port"`, `got the string "8080": write it without quotes`}},
	"prio_8":                 {rightRange, weRefuse, []string{"s[0].a.attr_priority: wants a whole number from 0 to 7, got 8"}},
	"proto_h3":               {"h3 is not built.", weRefuse, []string{"s[0].a.protocol: h3 is not supported"}},
	"respmap_bad_http":       {rightRange, weRefuse, []string{`"99" is not a status`}},
	"respmap_high_state":     {rightRange, weRefuse, []string{"wants a whole number from 1000 to 65535 (user state), got 70000"}},
	"respmap_low_state":      {"User states begin at 1000; below are the states of the library.", weRefuse, []string{"got 999"}},
	"retry_empty":            {exactNames, weRefuse, []string{`s[0].a.retry: no retry scheme is called ""`}},
	"retry_ok":               {wholeTable, []string{"a: retry backoff: reference [100], we [100 200 300]"}, nil},
	"retry_prefix":           {exactNames, weRefuse, []string{`s[0].a.retry: no retry scheme is called "def"`}},
	"retry_unknown_subkey":   {noPhantoms, weRefuse, []string{`retry[0].r1.zork: unknown key "zork"`}},
	"s_as_object":            {"The reference silently finds no stream types.", weRefuse, []string{"s: wants an array of stream types"}},
	"s_twice":                {oneMeaning, weRefuse, []string{`s: duplicate key "s", first given at 1:2`}},
	"schema_version_99":      {"The specification: the minimum version of the parser required to parse this policy.", weRefuse, []string{"schema-version: wants a whole number from 0 to 1, got 99"}},
	"top_unknown_key":        {"Unknown keys are errors, here as everywhere.", weRefuse, []string{`unknown key "zork"`}},
	"trailing_comma_array":   {strictJSON, weRefuse, []string{"1:30: comma after the last element"}},
	"trailing_junk":          {strictJSON, weRefuse, []string{"1:33: text after the end of the document"}},
	"trust_readme_shape":     {"The specification's example has this shape.", weAccept, nil},
	"trust_stack_6":          {inClear, weRefuse, []string{`s[0].a.tls_trust_store: has no effect without TLS`}},
	"underscore_v":           {"Unknown keys are errors, here as everywhere.", weRefuse, []string{`unknown key "_v"`}},
	"unknown_key_array":      {noPhantoms, weRefuse, []string{`unknown key "plugins2": did you mean "plugins"?`}},
	"unknown_key_object":     {noPhantoms, weRefuse, []string{`unknown key "zed"`}},
	"unknown_key_then_known": {noPhantoms, weRefuse, []string{`unknown key "foo"`}},
	"unterminated":           {strictJSON, weRefuse, []string{"the document ends inside the array that began at 1:6"}},
	"url_254":                {longString, weRefuse, []string{`duplicate key "http_url"`}},
	"url_255":                {longString, weRefuse, []string{`duplicate key "http_url"`}},
	"url_300":                {longString, weRefuse, []string{`duplicate key "http_url"`}},
	"multipart_content_type_readme": {bothWays, []string{
		"stream types: reference [a http_multipart_content_type], we [a]",
		"a: flags: reference [], we [multipart]",
		"a: http_mime_content_type: reference , we x/y"}, nil},
}

// golden is what the reference's parser made of a document.
type golden struct {
	Accepted bool
	Auth     []struct {
		Name, Type, StreamType string
		Blob                   int
	}
	StreamTypes []goldenStream
}

type goldenStream struct {
	StreamType, Endpoint, Protocol string
	Port                           int
	Flags                          []string
	Retry                          *struct {
		Conceal, JitterPC, SValidPing, SValidHup int
		Table                                    []int
	}
	Metadata []struct {
		Name, Header string
		Index        int
	} `json:"metadata_in_list_order"`
	Method        *string  `json:"http_method"`
	URL           string   `json:"http_url"`
	Expect        int      `json:"http_expect"`
	RespMap       [][2]int `json:"http_resp_map"`
	MIME          string   `json:"http_mime_content_type"`
	Priority      int
	UseAuth       string `json:"use_auth"`
	TrustStore    string `json:"trust_store"`
	TrustCerts    int    `json:"trust_store_certs"`
	ClientCert1   int    `json:"client_cert_plus1"`
	HasServerCert int    `json:"has_server_cert"`
	HasServerKey  int    `json:"has_server_key"`
	Topic         string `json:"mqtt_topic"`
	Subscribe     string `json:"mqtt_subscribe"`
	QoS           int    `json:"mqtt_qos"`
	Retain        int    `json:"mqtt_retain"`
	KeepAlive     int    `json:"mqtt_keep_alive"`
	CleanStart    int    `json:"mqtt_clean_start"`
}

func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/edge/*.json")
	if len(files) < 90 {
		t.Fatalf("testdata/edge has %d documents, want at least 90", len(files))
	}
	judged := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(doc)
			dev, deviates := deviations[name]
			if deviates {
				judged++
			}
			got := differences(readGolden(t, name), p)
			if !slices.Equal(got, dev.want) {
				t.Errorf("differences from the reference:\n got %q\nwant %q\n our verdict: %v\n document: %s", got, dev.want, err, doc)
			}
			for _, problem := range dev.problems {
				if err == nil || !strings.Contains(err.Error(), problem) {
					t.Errorf("our verdict lacks %q:\n got %v\n document: %s", problem, err, doc)
				}
			}
		})
	}
	if judged != len(deviations) {
		t.Errorf("%d of %d deviations belong to a document", judged, len(deviations))
	}
}

// readGolden reads the reference's verdict; it left none for the document that crashed it.
func readGolden(t *testing.T, name string) golden {
	var g golden
	text, err := os.ReadFile("testdata/golden/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	// The verdict's wording is not escaped where it has a quote, and not needed.
	text = regexp.MustCompile(`(?m)^ "meaning": .*\n`).ReplaceAll(text, nil)
	if len(text) > 0 {
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatalf("golden verdict of %s: %v", name, err)
		}
	}
	return g
}

// differences tells in what our reading of a document differs from the reference's.
func differences(g golden, p *Policy) (list []string) {
	differ := func(what string, reference, we any) {
		if a, b := fmt.Sprint(reference), fmt.Sprint(we); a != b {
			list = append(list, fmt.Sprintf("%s: reference %s, we %s", what, a, b))
		}
	}
	differ("accepted", g.Accepted, p != nil)
	if !g.Accepted || p == nil {
		return list
	}
	var theirs, ours []string
	for _, a := range g.Auth {
		theirs = append(theirs, fmt.Sprint(a))
	}
	slices.Reverse(theirs) // the reference puts each definition at the head of its list
	for _, a := range p.Auths {
		ours = append(ours, fmt.Sprint(*a))
	}
	differ("auth", theirs, ours)

	theirs, ours = nil, nil
	slices.Reverse(g.StreamTypes)
	for _, s := range g.StreamTypes {
		theirs = append(theirs, s.StreamType)
	}
	for _, s := range p.Streams {
		ours = append(ours, s.Name)
	}
	differ("stream types", theirs, ours)
	for _, a := range g.StreamTypes {
		if b := p.Stream(a.StreamType); b != nil {
			streamDifferences(a, b, func(what string, reference, we any) { differ(a.StreamType+": "+what, reference, we) })
		}
	}
	return list
}

func streamDifferences(a goldenStream, b *Stream, differ func(what string, reference, we any)) {
	differ("endpoint", a.Endpoint, b.Endpoint.String())
	differ("port", a.Port, b.Port)
	differ("protocol", a.Protocol, b.Protocol)
	var flags []string
	for _, f := range []struct {
		name string
		on   bool
	}{{"tls", b.TLS}, {"multipart", b.HTTP.Multipart}, {"server", b.Server}, {"opportunistic", b.Opportunistic},
		{"nailed_up", b.NailedUp}, {"perf", b.Perf}, {"local_sink", b.LocalSink}} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	differ("flags", a.Flags, flags)
	if r := a.Retry; r == nil {
		differ("retry", DefaultRetry, b.Retry)
	} else {
		var ms []int64
		for _, d := range b.Retry.Backoff {
			ms = append(ms, d.Milliseconds())
		}
		jitter := r.JitterPC
		if jitter == 0 { // absent, and the reference then uses 30
			jitter = 30
		}
		differ("retry conceal", r.Conceal, b.Retry.Conceal)
		differ("retry jitterpc", jitter, b.Retry.JitterPC)
		differ("retry svalidping", r.SValidPing, b.Retry.ValidPing.Seconds())
		differ("retry svalidhup", r.SValidHup, b.Retry.ValidHup.Seconds())
		differ("retry backoff", r.Table, ms)
	}
	slices.SortFunc(a.Metadata, func(x, y struct {
		Name, Header string
		Index        int
	}) int {
		return x.Index - y.Index
	})
	var theirs, ours []string
	for _, m := range a.Metadata {
		theirs = append(theirs, m.Name+"="+strings.TrimSuffix(m.Header, ":"))
	}
	for _, m := range b.Metadata {
		ours = append(ours, m.Name+"="+m.Header)
	}
	differ("metadata", theirs, ours)
	switch {
	case a.Method != nil:
		differ("http_method", *a.Method, b.HTTP.Method)
	case b.Given("http_method") || b.HTTP.Method != "GET":
		differ("http_method", "not given", b.HTTP.Method)
	}
	differ("http_url", a.URL, b.HTTP.URL.String())
	differ("http_expect", a.Expect, b.HTTP.Expect)
	var respMap [][2]int
	for _, m := range b.HTTP.RespMap {
		respMap = append(respMap, [2]int{m.Status, int(m.State)})
	}
	differ("http_resp_map", a.RespMap, respMap)
	differ("http_mime_content_type", a.MIME, b.HTTP.MultipartContentType)
	differ("priority", a.Priority, b.Attr.Priority)
	auth, store, certs, clientCert := "", "", 0, 0
	if b.Auth != nil {
		auth = b.Auth.Name
	}
	if b.TrustStore != nil {
		store, certs = b.TrustStore.Name, len(b.TrustStore.Stack)
	}
	if b.HasClientCert {
		clientCert = int(b.ClientCert) + 1
	}
	differ("use_auth", a.UseAuth, auth)
	differ("trust_store", a.TrustStore, store)
	differ("trust_store_certs", a.TrustCerts, certs)
	differ("client_cert_plus1", a.ClientCert1, clientCert)
	differ("has_server_cert", a.HasServerCert != 0, b.ServerCerts != nil)
	differ("has_server_key", a.HasServerKey != 0, b.ServerKeys != nil)
	differ("mqtt_topic", a.Topic, b.MQTT.Topic.String())
	differ("mqtt_subscribe", a.Subscribe, b.MQTT.Subscribe.String())
	differ("mqtt_qos", a.QoS, b.MQTT.QoS)
	differ("mqtt_retain", a.Retain != 0, b.MQTT.Retain)
	differ("mqtt_keep_alive", a.KeepAlive, b.MQTT.KeepAlive.Seconds())
	differ("mqtt_clean_start", a.CleanStart != 0, b.MQTT.CleanStart)
}

// specExample is the example of the specification. Its certificates are cut short with dots there.
const specExample = `{
	"release": "01234567",
	"product": "myproduct",
	"schema-version": 1,
	"retry": [{
		"default": {
			"backoff": [1000, 2000, 3000, 5000, 10000],
			"conceal": 5,
			"jitterpc": 20
		}
	}],
	"certs": [{
		"isrg_root_x1": "MIIFazCCA1Og"
	}, {
		"LEX3_isrg_root_x1": "MIIFjTCCA3Wg"
	}],
	"trust_stores": [{
		"le_via_isrg": ["isrg_root_x1", "LEX3_isrg_root_x1"]
	}],
	"s": [{
		"mintest": {
			"endpoint": "warmcat.com",
			"port": 4443,
			"protocol": "h1get",
			"aux": "index.html",
			"plugins": [],
			"tls": true,
			"opportunistic": true,
			"retry": "default",
			"tls_trust_store": "le_via_isrg"
		}
	}]
}`

func TestSpecificationExample(t *testing.T) {
	long := strings.Replace(specExample, `"le_via_isrg": ["isrg_root_x1", "LEX3_isrg_root_x1"]`,
		`"name": "le_via_isrg", "stack": ["isrg_root_x1", "LEX3_isrg_root_x1"]`, 1)
	for shape, doc := range map[string]string{"short trust store": specExample, "long trust store": long} {
		p, err := Parse([]byte(doc))
		if err != nil {
			t.Fatalf("%s: %v", shape, err)
		}
		s := p.Stream("mintest")
		if s == nil {
			t.Fatalf("%s: no stream type mintest", shape)
		}
		url, literal := s.HTTP.URL.Literal()
		got := fmt.Sprintln(p.Release, p.Product, p.SchemaVersion, s.Endpoint.String(), s.Port, s.Protocol, s.HTTP.Method,
			url, literal, s.TLS, s.Opportunistic, s.NailedUp, *s.Retry, s.TrustStore.Name, len(s.TrustStore.Stack), s.TrustStore.Stack[1].Name)
		want := "01234567 myproduct 1 warmcat.com 4443 h1 GET index.html true true true false " +
			"{default [1s 2s 3s 5s 10s] 5 20 0s 0s false} le_via_isrg 2 LEX3_isrg_root_x1\n"
		if got != want {
			t.Errorf("%s:\n got %swant %s", shape, got, want)
		}
		if err := s.CheckReady(); err != nil {
			t.Errorf("%s: %v", shape, err)
		}
	}
	_, err := Parse([]byte(strings.Replace(specExample, "MIIFazCCA1Og", "MIIFazCCA1OgAw...AnX5iItreGCc=", 1)))
	var e *Errors
	if !errors.As(err, &e) || len(e.Problems) != 1 || e.Problems[0].Path != "certs[0].isrg_root_x1" {
		t.Errorf("certificate with dots in it: got %v, want one problem at certs[0].isrg_root_x1", err)
	}
}
