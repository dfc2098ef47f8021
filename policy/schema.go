package policy

import (
	"fmt"
	"strings"
)

// Schema returns a JSON Schema (draft 2020-12) of policy documents, made from the key table. An editor that
// knows it completes keys and marks most mistakes; order, references and what one key means for another
// are beyond a schema and are left to Parse. The slice is the caller's.
func Schema() []byte {
	w := &schemaWriter{}
	w.object(func() {
		w.text("$schema", "https://json-schema.org/draft/2020-12/schema")
		w.text("title", "Millrace policy")
		w.members("policy")
		w.member("$defs", func() {
			w.object(func() {
				for _, s := range scopes[1:] {
					w.member(s.name, func() { w.object(func() { w.members(s.name) }) })
				}
			})
		})
	})
	w.b.WriteByte('\n')
	return []byte(w.b.String())
}

// schemaWriter writes JSON with one member per line, in the order of the calls.
type schemaWriter struct {
	b     strings.Builder
	depth int
	some  bool // the innermost object has a member already
}

// object writes an object whose members body writes.
func (w *schemaWriter) object(body func()) {
	outer := w.some
	w.some = false
	w.b.WriteByte('{')
	w.depth++
	body()
	w.depth--
	w.line()
	w.b.WriteByte('}')
	w.some = outer
}

func (w *schemaWriter) line() {
	w.b.WriteByte('\n')
	w.b.WriteString(strings.Repeat("  ", w.depth))
}

// member writes one member whose value body writes.
func (w *schemaWriter) member(name string, body func()) {
	if w.some {
		w.b.WriteByte(',')
	}
	w.some = true
	w.line()
	w.quote(name)
	w.b.WriteString(": ")
	body()
}

func (w *schemaWriter) text(name, text string) { w.member(name, func() { w.quote(text) }) }

// plain writes a member whose value is given as JSON.
func (w *schemaWriter) plain(name, json string) { w.member(name, func() { w.b.WriteString(json) }) }

func (w *schemaWriter) quote(text string) {
	w.b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			w.b.WriteByte('\\')
			w.b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&w.b, `\u%04x`, c)
		default:
			w.b.WriteByte(c)
		}
	}
	w.b.WriteByte('"')
}

// members writes what makes up the schema of the objects of one table.
func (w *schemaWriter) members(table string) {
	w.text("type", "object")
	w.plain("additionalProperties", "false")
	var required []string
	for _, k := range keysOf(table) {
		if k.must {
			required = append(required, `"`+k.name+`"`)
		}
	}
	if required != nil {
		w.plain("required", "["+strings.Join(required, ", ")+"]")
	}
	w.member("properties", func() {
		w.object(func() {
			for _, k := range keysOf(table) {
				w.member(k.name, func() { w.key(k, "") })
				for _, alias := range k.alias {
					w.member(alias, func() { w.key(k, "Same as "+k.name+". ") })
				}
			}
		})
	})
}

// key writes the schema of one key's value.
func (w *schemaWriter) key(k *key, before string) {
	w.object(func() {
		w.text("description", before+k.text)
		switch k.kind {
		case kindText, kindTemplate, kindName:
			w.text("type", "string")
			if k.values != nil {
				w.plain("enum", `["`+strings.Join(k.values, `", "`)+`"]`)
			}
			if k.form != nil && k.form.pattern != "" && k.kind == kindText {
				w.text("pattern", k.form.pattern)
			}
		case kindBool:
			w.plain("anyOf", `[{"type": "boolean"}, {"enum": [0, 1], "deprecated": true}]`)
		case kindInt:
			w.text("type", "integer")
			w.plain("minimum", fmt.Sprint(k.min))
			w.plain("maximum", fmt.Sprint(k.max))
		case kindDelays:
			w.list(k, fmt.Sprintf(`{"type": "integer", "minimum": 1, "maximum": %d}`, maxBackoff.Milliseconds()))
		case kindNames:
			w.list(k, `{"type": "string"}`)
		case kindRefs:
			w.plain("anyOf", fmt.Sprintf(`[{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": %d, "maxItems": %d}]`, k.min, k.max))
		case kindPairs, kindCerts:
			w.list(&key{}, `{"type": "object", "additionalProperties": {"type": "string"}}`)
		case kindStatusMap:
			w.list(&key{}, fmt.Sprintf(`{"type": "object", "propertyNames": {"pattern": "^[2-9][0-9][0-9]$"}, "additionalProperties": {"type": "integer", "minimum": %d, "maximum": %d}}`, minState, maxState))
		case kindStores:
			w.list(k, `{"anyOf": [{"$ref": "#/$defs/`+k.inner+`"}, {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}]}`)
		case kindSection:
			w.list(k, `{"type": "object", "additionalProperties": {"$ref": "#/$defs/`+k.inner+`"}}`)
		case kindList:
			w.list(k, `{"$ref": "#/$defs/`+k.inner+`"}`)
		case kindIgnored:
			w.text("type", "array")
			w.plain("deprecated", "true")
		}
	})
}

// list writes the schema of an array.
func (w *schemaWriter) list(k *key, items string) {
	w.text("type", "array")
	w.plain("items", items)
	if k.max > 0 {
		w.plain("minItems", fmt.Sprint(k.min))
		w.plain("maxItems", fmt.Sprint(k.max))
	}
}
