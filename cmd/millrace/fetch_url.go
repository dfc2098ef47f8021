package main

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/millrace/millrace/policy"
)

// urlPolicy serves `millrace fetch URL`: a policy whose endpoint and path are metadata, with a stream
// type per method, since a method belongs to the type.
//
//go:embed url.json
var urlPolicy []byte

// urlTypes are its stream types by method.
var urlTypes = map[string]string{
	"GET": "__default", "HEAD": "__default_head", "POST": "__default_post",
	"PUT": "__default_put", "DELETE": "__default_delete",
}

// fromURLs fills o for URLs: the built-in policy, the stream type for the method, and for each the metadata
// that say where to.
func (o *fetchFlags) fromURLs(urls []string) (*policy.Policy, error) {
	if o.policy != "" || o.stream != "" {
		return nil, fmt.Errorf("a URL brings its own policy: leave --policy and --stream out")
	}
	for _, url := range urls {
		where, err := o.parseURL(url)
		if err != nil {
			return nil, err
		}
		where = append(where, metadata{{"accept", "*/*"}, {"agent", "millrace"}}...)
		o.targets = append(o.targets, target{url: url, metadata: append(where, o.metadata...)})
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
	return o.urlPolicy()
}

// parseURL takes a URL apart into the metadata endpoint and path.
func (o *fetchFlags) parseURL(url string) (metadata, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is no URL: say http://host[:port]/path, or the same with https", url)
	case strings.EqualFold(scheme, "https"):
		scheme = "https"
	case !strings.EqualFold(scheme, "http"):
		return nil, fmt.Errorf("%q: the scheme %q is not known: say http:// or https://host[:port]/path", url, scheme)
	case o.ca != "":
		return nil, fmt.Errorf("%q: --ca is for https", url)
	default:
		scheme = "http"
	}
	rest, _, _ = strings.Cut(rest, "#") // a fragment is never sent (RFC 9110 s.4.2.5)
	host, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	switch {
	case host == "":
		return nil, fmt.Errorf("%q names no host", url)
	case strings.Contains(host, "@"):
		return nil, fmt.Errorf("%q: a name and password in a URL would be shown in logs: give -m auth='Basic ...'", url)
	}
	if path[0] == '?' {
		path = "/" + path
	}
	return metadata{{"endpoint", scheme + "://" + host}, {"path", path}}, nil
}

// urlPolicy is the built-in policy with what the flags add to it.
func (o *fetchFlags) urlPolicy() (*policy.Policy, error) {
	doc := urlPolicy
	if o.http2 {
		var err error
		if doc, err = extended(doc, []byte("{}"), map[string]any{"protocol": "h2"}); err != nil {
			return nil, err
		}
	}
	if o.ca == "" {
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
