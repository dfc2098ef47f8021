package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// validate judges v by the part of JSON Schema that ours uses, and fails the test on any other part.
func validate(t *testing.T, root, schema map[string]any, v any) error {
	for word, arg := range schema {
		switch word {
		case "$schema", "title", "description", "deprecated", "$defs":
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			if err := validate(t, root, root["$defs"].(map[string]any)[name].(map[string]any), v); err != nil {
				return err
			}
		case "type":
			got := map[string]bool{}
			switch v := v.(type) {
			case bool:
				got["boolean"] = true
			case float64:
				got["integer"] = v == float64(int64(v))
			case string:
				got["string"] = true
			case []any:
				got["array"] = true
			case map[string]any:
				got["object"] = true
			}
			if !got[arg.(string)] {
				return fmt.Errorf("%v is no %v", v, arg)
			}
		case "minimum", "maximum":
			if n, ok := v.(float64); ok && (word == "minimum") == (n < arg.(float64)) && n != arg.(float64) {
				return fmt.Errorf("%v is beyond the %s %v", v, word, arg)
			}
		case "minItems", "maxItems":
			if a, ok := v.([]any); ok && (word == "minItems") == (len(a) < int(arg.(float64))) && len(a) != int(arg.(float64)) {
				return fmt.Errorf("%d elements are beyond the %s %v", len(a), word, arg)
			}
		case "enum":
			found := false
			for _, e := range arg.([]any) {
				found = found || e == v
			}
			if !found {
				return fmt.Errorf("%v is none of %v", v, arg)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
				return fmt.Errorf("%q does not match %v", s, arg)
			}
		case "items":
			if a, ok := v.([]any); ok {
				for _, e := range a {
					if err := validate(t, root, arg.(map[string]any), e); err != nil {
						return err
					}
				}
			}
		case "anyOf":
			var err error
			for _, s := range arg.([]any) {
				if err = validate(t, root, s.(map[string]any), v); err == nil {
					break
				}
			}
			if err != nil {
				return err
			}
		case "required":
			for _, name := range arg.([]any) {
				if o, ok := v.(map[string]any); ok && o[name.(string)] == nil {
					return fmt.Errorf("%v is missing in %v", name, v)
				}
			}
		case "propertyNames":
			if o, ok := v.(map[string]any); ok {
				for name := range o {
					if err := validate(t, root, arg.(map[string]any), name); err != nil {
						return err
					}
				}
			}
		case "properties", "additionalProperties":
			o, _ := v.(map[string]any)
			properties, _ := schema["properties"].(map[string]any)
			for name, e := range o {
				s, known := properties[name]
				if !known {
					s = schema["additionalProperties"]
				}
				if s == false {
					return fmt.Errorf("%q is not allowed", name)
				}
				if err := validate(t, root, s.(map[string]any), e); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		default:
			t.Fatalf("the schema uses %q, which the test does not know", word)
		}
	}
	return nil
}

func schemaOf(t *testing.T) map[string]any {
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatalf("the schema is no JSON: %v\n%s", err, Schema())
	}
	return root
}

// TestSchemaAcceptsPolicies: what Parse accepts, the schema accepts.
func TestSchemaAcceptsPolicies(t *testing.T) {
	root := schemaOf(t)
	docs := map[string]string{"the specification's example": specExample}
	files, _ := filepath.Glob("testdata/edge/*.json")
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs[file] = string(doc)
	}
	for name, doc := range docs {
		if _, err := Parse([]byte(doc)); err != nil {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := validate(t, root, root, v); err != nil {
			t.Errorf("%s: the schema says %v, Parse accepts it: %s", name, err, doc)
		}
	}
}

// TestSchemaHasEveryKey: each name of each key is in the schema and takes there what Parse takes, and
// refuses values of another type.
func TestSchemaHasEveryKey(t *testing.T) {
	root := schemaOf(t)
	for _, s := range scopes {
		for _, k := range s.keys {
			good, _ := samples(k)
			for _, name := range append([]string{k.name}, k.alias...) {
				for _, v := range append(good, "null") {
					doc, _ := within(s.name, fmt.Sprintf(`"%s":%s`, name, v))
					var parsed any
					if err := json.Unmarshal([]byte(doc), &parsed); err != nil {
						t.Fatalf("%s: %v", doc, err)
					}
					if err := validate(t, root, root, parsed); (err == nil) != (v != "null") {
						t.Errorf("%s: the schema says %v", doc, err)
					}
				}
			}
		}
	}
}
