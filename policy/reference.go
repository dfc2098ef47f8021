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
				k.spellings(), cell(k.valueText()), cell(k.def), k.audience(), k.status, cell(k.text))
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
	"s":            {"Stream types: `s`", "`\"s\": [{\"mintest\": {\"endpoint\": \"warmcat.com\", \"port\": 80}}]`. One object may define several. A key that its protocol has no use for is an error, and so is a server's key without `\"server\": true`."},
}

const referenceHead = `<!-- Written by go test ./policy -run TestReferencePage -update; edit the tables in policy/keys*.go. -->

# Policy reference

A policy is one JSON object (RFC 8259, UTF-8, no comments). It is read whole, and every problem in it is
reported at once with its line, column and path; an unknown key is a problem. A key that appears twice in one
object is a problem too, also under two of its names.

What a stream type refers to by name (` + "`retry`, `tls_trust_store`, `server_cert`, `server_key`, `use_auth`" + `) must be
defined in front of it, and a trust store behind the certificates in its stack. Names match exactly.

The column *now* says whether this release acts on a key. Those marked *checked* are read, checked and kept, and
` + "`millrace policy check`" + ` warns about them; those marked *ignored* mean nothing.

` + "`${name}`" + ` in a value marked *with ${}* becomes the value of the metadata of that name when a connection or
message is made. The name must be declared in the same stream type, before or behind its use. Unset metadata
becomes nothing; a ` + "`$`" + ` without ` + "`{`" + ` is itself.
`

const referenceTail = `
## Endpoints

| form | means |
|---|---|
| ` + "`host`, `192.0.2.1`, `2001:db8::1`" + ` | client: connect there, to ` + "`port`" + ` |
| ` + "`scheme://host:port/path`" + ` | client: what the URL names replaces host, port and path, and its scheme decides about TLS |
| ` + "`file://path`" + ` | client: the content of a file is received, without network |
| ` + "`+/path`, `+@name`" + ` | Unix socket; with ` + "`@`" + ` in the abstract namespace of Linux |
| ` + "`eth0`, `127.0.0.1`, `::1`" + ` | server: interface or address to bind; without endpoint, all of them |
| ` + "`!name`" + ` | server: join the existing vhost of that name |

Parse accepts a stream type without endpoint or port, since an overlay may add them. Creating a stream of it
does not: a client needs an endpoint, and a port unless the endpoint names a Unix socket or is a URL; a server
needs a port unless it has a Unix socket or a vhost.

## Limits

A document has at most 1 MiB and nests 16 deep; a name has 1 to 128 bytes.
`

// String returns the word of the reference page's column.
func (s status) String() string {
	return [...]string{later: "checked", acted: "acted on", ignored: "ignored"}[s]
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

// audience says which streams a key is for.
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
