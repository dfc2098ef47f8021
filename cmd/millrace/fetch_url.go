package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
)

// urlPolicy is the policy of `millrace fetch URL`: host, port and path are metadata, and each method has a stream
// type. The scheme is part of the policy: no value can change it. secured returns the same for TLS.
//
//go:embed url.json
var urlPolicy []byte

// wsPolicy is the same for WebSockets, which have other keys and metadata.
//
//go:embed url_ws.json
var wsPolicy []byte

// wsType is the stream type of wsPolicy.
const wsType = "__default_ws"

// urlTypes are the stream types of urlPolicy by method.
var urlTypes = map[string]string{
	"GET": "__default", "HEAD": "__default_head", "POST": "__default_post",
	"PUT": "__default_put", "DELETE": "__default_delete",
}

// fromURLs sets the stream type for the method and the metadata of each URL, and returns the built-in policy.
func (o *fetchFlags) fromURLs(urls []string) (*policy.Policy, error) {
	switch {
	case o.policy != "" || o.stream != "":
		return nil, errors.New("a URL uses the built-in policy: remove --policy and --stream")
	case len(o.device.blobs) > 0:
		return nil, errors.New("--blob needs --policy: the built-in policy of URLs refers to no system blob")
	}
	for i, url := range urls {
		where, ws, err := o.parseURL(url)
		switch {
		case err != nil:
			return nil, err
		case i > 0 && ws != o.ws:
			return nil, fmt.Errorf("%q: WebSocket URLs and other URLs cannot be mixed", url)
		}
		if o.ws = ws; !ws {
			where = append(where, metadata{{"accept", "*/*"}}...)
		}
		where = append(where, metadata{{"agent", "millrace"}}...)
		o.targets = append(o.targets, target{url: url, secure: isSecure(url), metadata: append(where, o.metadata...)})
	}
	switch {
	case !o.ws && (o.subprotocol != "" || o.binary):
		return nil, errors.New("--subprotocol and --binary are for WebSockets: ws or wss")
	case o.ws && o.method != "":
		return nil, errors.New("-X is for HTTP: a WebSocket has no method")
	case o.ws:
		o.stream = wsType
		return o.extend(wsPolicy, o.wsKeys())
	}
	method := strings.ToUpper(o.method)
	if method == "" {
		method = "GET"
		if o.hasData {
			method = "POST"
		}
	}
	var ok bool
	if o.stream, ok = urlTypes[method]; !ok {
		return nil, fmt.Errorf("method %q is not in the built-in policy (GET, HEAD, POST, PUT, DELETE): write a policy with \"http_method\"", o.method)
	}
	keys := o.deviceKeys()
	if o.http2 {
		keys["protocol"] = "h2"
	}
	return o.extend(urlPolicy, keys)
}

// wsKeys returns the keys that the flags add to the stream type for WebSockets.
func (o *fetchFlags) wsKeys() map[string]any {
	keys := o.deviceKeys()
	if o.http2 {
		keys["ws_over_h2"] = true
	}
	if o.binary {
		keys["ws_binary"] = true
	}
	if o.subprotocol != "" {
		keys["ws_subprotocol"] = o.subprotocol
	}
	return keys
}

// deviceKeys returns the keys that the device flags add to all stream types.
func (o *fetchFlags) deviceKeys() map[string]any {
	keys := map[string]any{}
	if o.device.cookies != "" {
		keys["http_cookies"] = true
	}
	if len(o.device.certs) > 0 {
		keys["tls"], keys["client_cert"] = true, 0
	}
	return keys
}

// parseURL splits a URL into the metadata host, port and path. ws reports whether it is a WebSocket URL.
func (o *fetchFlags) parseURL(url string) (where metadata, ws bool, err error) {
	scheme, rest, ok := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case !ok:
		return nil, false, fmt.Errorf("%q is not a URL: use http://host[:port]/path, or the same with https, ws or wss", url)
	case scheme == "https", scheme == "wss":
	case scheme != "http" && scheme != "ws":
		return nil, false, fmt.Errorf("%q: unknown scheme %q: use http, https, ws or wss", url, scheme)
	case o.ca != "":
		return nil, false, fmt.Errorf("%q: --ca is for https and wss", url)
	case len(o.device.certs) > 0:
		return nil, false, fmt.Errorf("%q: --client-cert is for https and wss", url)
	}
	rest, _, _ = strings.Cut(rest, "#") // a fragment is never sent (RFC 9110 s.4.2.5)
	host, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	port := "80"
	if isSecure(url) {
		port = "443"
	}
	if strings.Contains(host, "@") {
		return nil, false, fmt.Errorf("the URL for %q has a user name and password, which would appear in logs: use -m auth='Basic ...'", host[strings.LastIndexByte(host, '@')+1:])
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if i+1 < len(host) {
			port = host[i+1:]
		}
		host = host[:i]
	}
	switch {
	case host == "":
		return nil, false, fmt.Errorf("%q has no host", url)
	case strings.Contains(host, ":") && host[0] != '[':
		return nil, false, fmt.Errorf("%q: an IPv6 address in a URL needs brackets", url)
	}
	if path[0] == '?' {
		path = "/" + path
	}
	if path, err = asTarget(path); err != nil {
		return nil, false, fmt.Errorf("%q: %w", url, err)
	}
	return metadata{{"host", host}, {"port", port}, {"path", path}}, scheme == "ws" || scheme == "wss", nil
}

// isSecure reports whether a URL's scheme means TLS.
func isSecure(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "wss")
}

// secureSuffix is the end of the name of a stream type for https or wss, if there are also types for http or ws.
const secureSuffix = "_tls"

// streamFor returns the stream type of a target: that of the command line, or its variant over TLS.
func (o *fetchFlags) streamFor(t *target) string {
	if t.secure && o.mixed {
		return o.stream + secureSuffix
	}
	return o.stream
}

// secured returns a built-in policy for the schemes that the targets name: in clear as it is, over TLS, or both, with
// a twin for each stream type.
func (o *fetchFlags) secured(doc []byte) ([]byte, error) {
	clear, secure := 0, 0
	for i := range o.targets {
		if o.targets[i].secure {
			secure++
		} else {
			clear++
		}
	}
	o.mixed = clear > 0 && secure > 0
	if secure == 0 {
		return doc, nil
	}
	var p map[string]any
	if err := json.Unmarshal(doc, &p); err != nil {
		return nil, fmt.Errorf("built-in policy: %w", err)
	}
	list, _ := p["s"].([]any)
	for _, e := range list {
		types, _ := e.(map[string]any)
		for name, t := range types {
			keys, _ := t.(map[string]any)
			endpoint, _ := keys["endpoint"].(string)
			scheme, rest, _ := strings.Cut(endpoint, ":")
			twin := maps.Clone(keys)
			twin["endpoint"] = scheme + "s:" + rest
			if o.mixed {
				p["s"] = append(p["s"].([]any), map[string]any{name + secureSuffix: twin})
			} else {
				types[name] = twin
			}
		}
	}
	return json.Marshal(p)
}

// asTarget returns a path in the form of a request: octets outside ASCII are percent-encoded (RFC 3987 s.3.1).
func asTarget(path string) (string, error) {
	const digits = "0123456789ABCDEF"
	var b []byte
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 0x80:
			b = append(b, '%', digits[c>>4], digits[c&15])
		case http.TargetLen([]byte{c}) == 0:
			return "", fmt.Errorf("%q is not allowed in a URL: write %%%02X", c, c)
		default:
			b = append(b, c)
		}
	}
	return string(b), nil
}

// extend returns a built-in policy with the keys and trust roots that the flags add to its stream types.
func (o *fetchFlags) extend(doc []byte, keys map[string]any) (*policy.Policy, error) {
	doc, err := o.secured(doc)
	if err == nil {
		doc, err = extended(doc, []byte("{}"), keys)
	}
	switch {
	case err != nil:
		return nil, err
	case o.ca == "":
		return policy.Parse(doc)
	}
	roots, err := readRoots(o.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	if doc, err = trusting(doc, roots); err != nil {
		return nil, err
	}
	p, err := policy.Parse(doc)
	if err != nil {
		return nil, fmt.Errorf("--ca %s: %w", o.ca, err)
	}
	return p, nil
}
