package policy

import (
	"fmt"
	"strings"
	"testing"
)

// within returns a document with member in an object of the named table, and the path of that object.
func within(table, member string) (doc, path string) {
	switch table {
	case "policy":
		return `{` + member + `}`, ""
	case "retry":
		return `{"retry":[{"r":{` + member + `}}]}`, "retry[0].r"
	case "trust_stores":
		rest := `"name":"x"`
		if strings.Contains(member, `"name"`) {
			rest = `"stack":["c"]`
		}
		return `{"certs":[{"c":"AAAA"}],"trust_stores":[{` + rest + `,` + member + `}]}`, "trust_stores[0]"
	case "auth", "metrics":
		rest := `"name":"x",`
		if strings.Contains(member, `"name"`) {
			rest = ""
		}
		return `{"` + table + `":[{` + rest + member + `}]}`, table + "[0]"
	}
	return `{"retry":[{"r":{}}],"certs":[{"c":"AAAA"}],"trust_stores":[{"t":["c"]}],"auth":[{"name":"n"}],` +
		`"s":[{"a":{` + member + `}}]}`, "s[0].a"
}

// around returns what a stream type needs beside a key for the key to make sense there.
func around(k *key) string {
	with := ""
	if k.side == serverSide {
		with += `"server":true,`
	}
	switch {
	case k.on == onMQTT:
		with += `"protocol":"mqtt",`
	case k.on == onMixed, k.on == onWS:
		with += `"protocol":"ws",`
	}
	if k.target == "metadata" {
		with += `"metadata":[{"m":""}],`
	}
	return with + needsTLS(k)
}

// needsTLS returns what makes a key about TLS mean something. Certificates of the samples are none, so servers say
// that they do not use them.
func needsTLS(k *key) string {
	for i := range tlsKeys {
		switch {
		case tlsKeys[i].name != k.name || k.name == "tls":
		case k.side == serverSide:
			return `"tls":false,`
		default:
			return `"tls":true,`
		}
	}
	return ""
}

// samples returns JSON values that a key takes and values that it refuses.
func samples(k *key) (good, bad []string) {
	bad = []string{"null", `{}`}
	switch k.kind {
	case kindBool:
		return []string{"true", "false", "0", "1"}, append(bad, "2", "-1", "1.0", "10", `"true"`, "[]")
	case kindInt:
		if k.min > 0 {
			bad = append(bad, fmt.Sprint(k.min-1))
		}
		return []string{fmt.Sprint(k.min), fmt.Sprint(k.max)},
			append(bad, fmt.Sprint(k.max+1), "-1", fmt.Sprint(k.max, ".5"), "1e1", `"1"`, "true", "[]", "99999999999999999999999")
	case kindText, kindTemplate:
		good = map[*form][]string{
			nil:          {`"h1"`, `"raw"`, `"ws"`},
			textForm:     {`"any text"`, `"\u00e9"`},
			messageForm:  {`"any\ntext"`, `""`},
			nameForm:     {`"x"`, `"client cert"`},
			tokenForm:    {`"GET"`, `"x-y.z"`},
			tokensForm:   {`"chat"`, `"chat, superchat"`, `"a,b"`},
			headerForm:   {`"x-dsn:"`, `"authorization"`},
			urlForm:      {`"/a?b=c"`, `"a/b"`, `""`},
			endpointForm: {`"a.example"`, `"+/tmp/a b"`, `"+@x"`, `"http://a/b"`},
			topicForm:    {`"a/b"`, `"$aws/x"`},
			filterForm:   {`"a/+/#"`},
			versionForm:  {`"1.2"`, `"1.3"`},
			groupsForm:   {`"X25519"`, `"X25519MLKEM768:P-256"`},
			socksForm:    {`"127.0.0.1:1080"`, `"u:p@[::1]:1"`},

			socksOrNoneForm: {`"127.0.0.1:1080"`, `"none"`},
		}[k.form]
		wrong := map[*form][]string{
			nil:             {`"H1"`, `""`, `"h3"`},
			textForm:        {`"a\nb"`, `"\u007f"`},
			nameForm:        {`""`, `"` + strings.Repeat("n", maxName+1) + `"`, `"a\u0000"`},
			tokenForm:       {`""`, `"a b"`, `"a:"`, `"\u00e9"`},
			tokensForm:      {`""`, `"a b"`, `"a,"`, `"` + strings.Repeat("a,", maxTokens) + `a"`, `",a"`, `" a"`, `"a, "`, `"a;b"`},
			headerForm:      {`""`, `":"`, `"a b:"`, `"a\r\nb:"`},
			urlForm:         {`"/a b"`, `"/\r\n"`, `"/\u00e9"`},
			endpointForm:    {`""`, `"a b"`, `"a\n"`, `"!vh"`, `"file:///x"`, `"gopher://x"`},
			topicForm:       {`"a/+"`, `"#"`, `"a\u0000"`},
			filterForm:      {`"a\u0000"`},
			versionForm:     {`""`, `"1.1"`, `"TLS 1.3"`},
			groupsForm:      {`""`, `"X25519:"`, `"x25519"`, `"P-256,P-384"`},
			socksOrNoneForm: {`"host"`, `"None"`, `""`},

			socksForm: {`"host"`, `"host:0"`, `"host:65536"`, `":1"`, `"u@h:1"`, `"::1:80"`, `"h:x"`},
		}[k.form]
		if k.kind == kindTemplate {
			good = append(good, `"${m}x${m}"`)
			wrong = append(wrong, `"${m"`, `"${}"`, `"${nope}"`)
		}
		return good, append(append(bad, "1", "true", "[]"), wrong...)
	case kindName:
		name := map[string]string{"retry": `"r"`, "certs": `"c"`, "trust_stores": `"t"`, "auth": `"n"`, "metadata": `"m"`, "s": `"a"`}[k.target]
		return []string{name}, append(bad, `"nope"`, `""`, "1", "[]")
	case kindRefs:
		return []string{`"c"`, `["c"]`, `["c","c"]`}, append(bad, `"nope"`, `""`, "1", "[]", "[1]", `["nope"]`, `["c",1]`,
			"["+strings.Repeat(`"c",`, int(k.max))+`"c"]`)
	case kindDelays:
		return []string{"[1]", "[1,2,3]", "[604800000]"}, append(bad, "[]", "[0]", "[604800001]", `["1"]`, "1",
			"["+strings.Repeat("1,", maxBackoffs)+"1]")
	case kindNames:
		return []string{`["c"]`, `["c","c"]`}, append(bad, "[]", `["nope"]`, "[1]", `"c"`, `["c","c","c","c","c","c","c"]`)
	case kindPairs:
		return []string{`[]`, `[{"p":""}]`, `[{"p":"v","q":"w"},{"r":"x"}]`}, append(bad, `[1]`, `[{"p":1}]`, `[{"":"x"}]`, `"p"`)
	case kindStatusMap:
		return []string{`[]`, `[{"530":1530}]`, `[{"200":1000,"999":65535}]`},
			append(bad, `[{"199":1000}]`, `[{"1000":1000}]`, `[{"x":1000}]`, `[{"0530":1000}]`, `[{"530":999}]`, `[{"530":1530},{"530":1531}]`)
	case kindCerts:
		return []string{`[]`, `[{"x":"AAAA"}]`, `[{"x":"AAA="},{"y":"AA=="}]`},
			append(bad, `[{"x":""}]`, `[{"x":"?"}]`, `[{"x":1}]`, `[{"x":"AAAA"},{"x":"AAAA"}]`, `[{"x":"-----BEGIN CERTIFICATE-----\n"}]`)
	case kindStores:
		return []string{`[]`}, append(bad, `[{"x":["nope"]}]`, `[{"name":"x"}]`, `[{"stack":[]}]`, `[1]`)
	case kindSection:
		return []string{`[]`, `[{}]`, `[{"x":{}}]`, `[{"x":{},"y":{}},{"z":{}}]`}, append(bad, `[{"x":1}]`, `[{"x":{}},{"x":{}}]`, `[1]`, `[{"x":{"zork":1}}]`)
	case kindList:
		return []string{`[]`, `[{"name":"x"}]`}, append(bad, `[{}]`, `[1]`, `[{"name":""}]`)
	}
	return []string{"[]", "[1]"}, append(bad, `""`)
}

// TestEveryKey: each key of each table, under each of its names, takes what its row says and refuses the
// rest with the path of the value; and a stream type remembers that it was given.
func TestEveryKey(t *testing.T) {
	for _, s := range scopes {
		for _, k := range s.keys {
			good, bad := samples(k)
			if len(good) == 0 {
				t.Errorf("%s %s: no sample value for it", s.name, k.name)
			}
			for _, name := range append([]string{k.name}, k.alias...) {
				full := func(v string) string {
					with := ""
					if s.name == "s" {
						with = around(k)
						if strings.Contains(v, "${m}") {
							with += `"metadata":[{"m":""}],`
						}
					}
					return with + `"` + name + `":` + v
				}
				for _, v := range good {
					doc, _ := within(s.name, full(v))
					p, err := Parse([]byte(doc))
					if err != nil {
						t.Errorf("%s: got %v, want it accepted", doc, err)
						continue
					}
					if s.name == "s" && (!p.Stream("a").Given(name) || !p.Stream("a").Given(k.name)) {
						t.Errorf("%s: Given(%q) is false, want true", doc, name)
					}
				}
				for _, v := range bad {
					doc, path := within(s.name, full(v))
					path = joinPath(path, name)
					_, err := Parse([]byte(doc))
					if err == nil {
						t.Errorf("%s: accepted, want it refused", doc)
						continue
					}
					if e := err.(*Errors); !strings.HasPrefix(e.Problems[0].Path, path) {
						t.Errorf("%s: got %v, want a problem at %s", doc, err, path)
					}
				}
			}
		}
	}
}

// TestKeyRows: every row has what the reference page needs.
func TestKeyRows(t *testing.T) {
	for _, s := range scopes {
		for _, k := range s.keys {
			if !strings.HasSuffix(k.text, ".") || k.def == "" {
				t.Errorf("%s %s: meaning %q, default %q: want a sentence and a default", s.name, k.name, k.text, k.def)
			}
			if k.must != (k.def == "required") {
				t.Errorf("%s %s: must is %v, but its default is %q", s.name, k.name, k.must, k.def)
			}
			if k.ignored && k.refused || (k.ignored || k.refused) && k.proof != "" {
				t.Errorf("%s %s: ignored, refused and proved exclude each other", s.name, k.name)
			}
			if k.kind == kindTemplate && k.form == nil || k.kind == kindInt && k.max == 0 || (k.kind == kindName || k.kind == kindRefs) && k.target == "" {
				t.Errorf("%s %s: its row lacks the form, range or target of its kind", s.name, k.name)
			}
		}
	}
}

// TestProtocolKeys: a key of another protocol is an error, in either order of the two keys.
func TestProtocolKeys(t *testing.T) {
	for _, k := range keysOf("s") {
		good, _ := samples(k)
		for p, protocol := range protocolNames {
			if Protocol(p) == H3 {
				continue
			}
			s := Stream{Protocol: Protocol(p), Server: k.side == serverSide}
			for _, order := range []string{`"protocol":"%[1]s",%[2]s`, `%[2]s,"protocol":"%[1]s"`} {
				member := fmt.Sprintf(`"%s":%s`, k.name, good[0])
				if k.name == "protocol" {
					continue
				}
				if s.Server {
					member += `,"server":true`
				}
				if k.target == "metadata" {
					member += `,"metadata":[{"m":""}]`
				}
				member = needsTLS(k) + member
				doc, _ := within("s", fmt.Sprintf(order, protocol, member))
				_, err := Parse([]byte(doc))
				want := fmt.Sprintf("s[0].a.%s: %s means nothing to %s streams", k.name, k.name, protocol)
				switch {
				case k.on.has(&s) && err != nil:
					t.Errorf("%s: got %v, want it accepted", doc, err)
				case !k.on.has(&s) && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("%s: got %v, want %q", doc, err, want)
				}
			}
		}
	}
}
