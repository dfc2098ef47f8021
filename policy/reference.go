package policy

import (
	"fmt"
	"strings"
)

// Reference returns the reference page of the policy language, docs/policy.md, made from the key table.
// The slice is the caller's.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range scopes {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", headings[s.name].title, headings[s.name].text)
		b.WriteString("| key | value | default | for | now | meaning |\n|---|---|---|---|---|---|\n")
		for _, k := range s.keys {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
				k.spellings(), cell(k.valueText()), cell(k.def), k.audience(), k.status(), cell(k.text))
		}
	}
	b.WriteString(referenceTail)
	return []byte(b.String())
}

// headings introduces each table on the page.
var headings = map[string]struct{ title, text string }{
	"policy":       {"The document", "The keys of the outermost object."},
	"retry":        {"Retry schemes: `retry`", "`\"retry\": [{\"default\": {\"backoff\": [1000, 5000], \"conceal\": 5}}]`. One object may define several."},
	"trust_stores": {"Trust stores: `trust_stores`", "Either `{\"name\": \"le\", \"stack\": [\"root_x1\"]}` with the keys below, or in short `{\"le\": [\"root_x1\"]}`, which may hold several."},
	"auth":         {"Authentication: `auth`", "`\"auth\": [{\"name\": \"aws\", \"type\": \"sigv4\", \"blob\": 0}]`."},
	"metrics":      {"Metrics: `metrics`", "`\"metrics\": [{\"name\": \"latency\", \"us_schedule\": 60000000, \"report\": \"telemetry\"}]`."},
	"s":            {"Stream types: `s`", "`\"s\": [{\"mintest\": {\"endpoint\": \"warmcat.com\", \"port\": 80}}]`. One object may define several. A key that does not apply to its protocol is an error, and so is a server's key without `\"server\": true`."},
}

const referenceHead = `<!-- Written by go test ./policy -run TestReferencePage -update; edit the tables in policy/keys*.go. -->

# Policy reference

A policy is one JSON object (RFC 8259, UTF-8, no comments). It is read whole, and every problem in it is
reported at once with its line, column and path; an unknown key is a problem. A key that appears twice in one
object is a problem too, also under two names of the key.

What a stream type refers to by name (` + "`retry`, `tls_trust_store`, `server_cert`, `server_key`, `use_auth`" + `) must be
defined before it, and a trust store after the certificates in its stack. Names match exactly.

The column *now* shows what this release does with a key. For each key marked *acted on* there is a test that proves
it, and this page is generated from the list of these tests. Keys marked *checked* are read, checked and stored, and
have no effect; with those marked *refused* a stream cannot be created, since without them it would not do
what the policy requires; those marked *ignored* have no effect. ` + "`millrace policy check`" + ` warns about all that have no
effect, with line and column.

` + "`true` and `false`" + ` are the two booleans. 0 and 1, which older policies have, are read as false and true wherever a
boolean is possible, with a warning.
`

const referenceTail = `
## Values

` + "`${name}`" + ` in a value marked *with ${}* becomes the value of the metadata of that name when a connection or
message is made. The name must be declared in the same stream type, before or after its use. Unset metadata
becomes nothing; a ` + "`$`" + ` without ` + "`{`" + ` is itself.

| written | in | inserted | refused |
|---|---|---|---|
| ` + "`${name}`" + ` | host of ` + "`endpoint`" + ` | as it is | all but letters, digits, ` + "`-`, `.` and `_`" + `. Where the value is the whole host, it may also be an IPv6 address, with or without brackets |
| ` + "`${name}`" + ` | port of a URL in ` + "`endpoint`" + ` | as it is | all but digits |
| ` + "`${name}`" + ` | Unix socket in ` + "`endpoint`" + ` | as it is | ` + "`/`, `@`" + `, control octets, and the values ` + "`.` and `..`" + ` |
| ` + "`${name}`" + ` | ` + "`http_url`" + `, path of a URL in ` + "`endpoint`" + ` | as it is | blanks, control octets, ` + "`#`" + `, and octets that are not ASCII |
| ` + "`${name|path}`" + ` | the same | percent-encoded, all but letters, digits, ` + "`-`, `.`, `_` and `~`" + ` | the values ` + "`.` and `..`" + `, which no encoding makes harmless (RFC 3986 s.6.2.2.3) |
| ` + "`${name|query}`" + ` | the same | percent-encoded likewise | nothing |
| ` + "`${name}`" + ` | MQTT topics | as it is | ` + "`+`, `#`" + ` and U+0000 in topics to publish to, U+0000 in filters |

The literal text of the policy decides what an endpoint is: no value turns a host into a URL, a port or a Unix socket.
An attempt with a value that is refused fails with UNREACHABLE before anything is connected, and is counted.

**A plain ` + "`${name}`" + ` inside a path or a query is a risk when its value is not the program's own.** With
` + "`\"http_url\": \"/users/${id}/photo?size=${size}\"`" + ` an ` + "`id`" + ` of ` + "`../../admin`" + ` asks for another path, and
a ` + "`size`" + ` of ` + "`1&delete=1`" + ` adds an argument. Write
` + "`\"/users/${id|path}/photo?size=${size|query}\"`" + `: then a value is one segment, or one argument, whatever is in it.
Plain values are inserted unchanged because the specification requires it, and are right where a value is a path itself.
The encodings are not known to the reference implementation. A metadata item whose own name is ` + "`id|path`" + ` still takes
precedence for ` + "`${id|path}`" + `.

An expanded ` + "`endpoint` or `http_url`" + ` has at most 8000 bytes, and MQTT strings 65535; a template has at most 64 values.

## Endpoints

| form | means |
|---|---|
| ` + "`host`, `192.0.2.1`, `2001:db8::1`" + ` | client: connect there, to ` + "`port`" + `. Names other than ` + "`localhost`" + ` and those of the hosts file need DNS, which this release does not have |
| ` + "`scheme://host:port/path`" + ` | client: what the URL names replaces host, port and path, and its scheme decides about TLS. Schemes: http, ws, mqtt, tcp and raw, and https, wss and mqtts with TLS. With ` + "`\"tls\": true`" + ` one without TLS is an error |
| ` + "`+/path`, `+@name`" + ` | Unix socket; with ` + "`@`" + ` in the abstract namespace of Linux |
| ` + "`eth0`, `127.0.0.1`, `::1`" + ` | server: interface or address to bind; without endpoint, all of them |
| ` + "`!name`" + ` | server: join the vhost of that name. Not implemented yet: streams of this type are refused when they are created |

` + "`file://`" + ` is an error: it is not in the specification.

## Clear text

A stream type sends in clear unless it has ` + "`\"tls\": true`" + ` or an endpoint whose scheme means TLS. What indicates that TLS
was intended is an error: ` + "`tls_trust_store`" + ` and the other keys about TLS, or port 443. ` + "`\"tls\": false`" + ` states that clear text
is intended; then the keys and the port are warnings, except ` + "`tls_trust_store`" + ` without ` + "`allow_redirects`" + `, which may lead
to a TLS server.

Parse accepts a stream type without endpoint or port, since an overlay may add them. Creating a stream of it
does not: a client needs an endpoint, and a port unless the endpoint names a Unix socket or is a URL; a server
needs a port unless it has a Unix socket or a vhost.

## Limits

A document has at most 1 MiB, 65536 commas and opening brackets, and 4096 stream types, and nests 16 deep; a name has
1 to 128 bytes. The first 1000 problems are listed.
`

// String returns the word of the reference page's column.
func (s status) String() string {
	return [...]string{planned: "checked", refused: "refused", implemented: "acted on", ignored: "ignored"}[s]
}

// spellings returns all names of a key.
func (k *key) spellings() string {
	all := "`" + k.name + "`"
	for _, alias := range k.alias {
		all += ", `" + alias + "`"
	}
	return all
}

// valueText describes the value a key takes.
func (k *key) valueText() string {
	switch k.kind {
	case kindBool:
		return "true or false"
	case kindInt:
		text := k.rangeText()
		if k.unit != "" {
			text += " " + k.unit
		}
		return text
	case kindName:
		if k.target == "metadata" {
			return "name of a metadata item"
		}
		return "name defined in `" + k.target + "`"
	case kindTemplate:
		return k.form.name + ", with ${}"
	case kindText:
		if k.values != nil {
			return strings.Join(k.values, ", ")
		}
		return k.form.name
	case kindDelays:
		return fmt.Sprintf("array of %d to %d delays in ms", k.min, k.max)
	case kindNames:
		return fmt.Sprintf("array of %d to %d names", k.min, k.max)
	case kindRefs:
		return fmt.Sprintf("name defined in `%s`, or array of %d to %d of them", k.target, k.min, k.max)
	case kindPairs:
		return fmt.Sprintf("array of {name: text}, at most %d", k.max)
	case kindStatusMap:
		return fmt.Sprintf("array of {status: state}, at most %d", k.max)
	case kindCerts:
		return "array of {name: base64 or PEM}"
	case kindStores:
		return "array of trust stores, below"
	case kindSection:
		return "array of {name: {...}}, below"
	case kindList:
		return "array of objects, below"
	}
	return "array"
}

// audience returns which streams a key is for.
func (k *key) audience() string {
	switch {
	case k.side == serverSide:
		return "servers"
	case k.side == clientSide && k.on == 0:
		return "clients"
	case k.side == clientSide:
		return k.on.String() + "; clients"
	}
	return k.on.String()
}

// cell makes text safe inside a Markdown table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
