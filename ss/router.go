package ss

import (
	"slices"
	"strings"
)

// Router answers the requests of a server stream by method and path: Info.New is its New. Patterns are those of net/http's
// ServeMux, without hosts:
//
//	GET /users/{id}         a method, literal segments, and parameters that match one segment each
//	/static/                any method; a final slash makes the path a prefix
//	GET /files/{path...}    a last parameter that matches the rest, which may be empty
//
// A GET pattern answers HEAD too, without the body. Of several patterns that match the most specific one answers:
// segment by segment a literal is before a parameter, and that before a prefix; a method is before none. A path that no
// pattern matches is answered with 404, and one that matches with other methods only with 405 and Allow.
//
// Paths are compared as they are in the request: nothing is decoded or cleaned. All patterns are registered before
// the server stream is created.
type Router struct {
	rules   []*rule // the most specific first
	streams int     // rules with a newStream
}

// rule is one pattern.
type rule struct {
	method    string // "" for any
	pattern   string
	segments  []segment
	rest      bool   // the path goes on after segments
	restName  string // parameter for that, "" for none
	reply     func(h *Handle) Ret
	newStream func(h *Handle) Stream
	index     int // of its stream in routed.made
}

// segment is a literal, or a parameter if name is not empty.
type segment struct{ literal, name string }

// HandleFunc registers a function that answers a request, with Reply or otherwise. It is called in SERVER_TXN: Handle.Head
// is the request's head, PathValue has the parameters, and ReadBody reads the body. A request for a WebSocket is refused
// with 400. It panics if the pattern is malformed or was registered before.
func (r *Router) HandleFunc(pattern string, reply func(h *Handle) Ret) {
	r.add(pattern, &rule{reply: reply})
}

// Handle registers streams: newStream is called for the first request on each accepted stream that matches, and the Stream it
// makes serves that request and all later ones of the accepted stream that match. It receives CREATING, then what concerns
// its requests, SERVER_UPGRADE too, and at last DISCONNECTED and DESTROYING. It panics as HandleFunc.
func (r *Router) Handle(pattern string, newStream func(h *Handle) Stream) {
	r.add(pattern, &rule{newStream: newStream, index: r.streams})
	r.streams++
}

func (r *Router) add(pattern string, u *rule) {
	bad := func(why string) { panic("ss: Router: pattern " + pattern + ": " + why) }
	path := pattern
	if method, p, ok := strings.Cut(pattern, " "); ok {
		u.method, path = method, p
	}
	u.pattern = pattern
	path, ok := strings.CutPrefix(path, "/")
	if !ok {
		bad("the path must begin with /")
	}
	for path != "" || !u.rest && len(u.segments) == 0 {
		if path == "" { // "/" alone
			u.rest = true
			break
		}
		s, after, more := strings.Cut(path, "/")
		path = after
		name, isParam := strings.CutPrefix(s, "{")
		if isParam {
			if name, isParam = strings.CutSuffix(name, "}"); !isParam {
				bad("a parameter must end with }")
			}
			if rest, ok := strings.CutSuffix(name, "..."); ok {
				if more {
					bad("{" + name + "} must be the last segment")
				}
				u.rest, u.restName = true, rest
				break
			}
			if name == "" {
				bad("a parameter needs a name")
			}
			u.segments = append(u.segments, segment{name: name})
		} else {
			u.segments = append(u.segments, segment{literal: s})
		}
		if more && path == "" {
			u.rest = true
			break
		}
	}
	at := len(r.rules)
	for i, o := range r.rules {
		switch c := u.compare(o); {
		case c == 0 && u.method == o.method:
			bad("it matches the same requests as " + o.pattern)
		case c < 0:
			at = min(at, i)
		}
	}
	r.rules = slices.Insert(r.rules, at, u)
}

// compare is negative if u is more specific than o, positive if less, 0 if they match the same paths. Methods count last.
func (u *rule) compare(o *rule) int {
	for i := range min(len(u.segments), len(o.segments)) {
		if a, b := u.segments[i], o.segments[i]; (a.name == "") != (b.name == "") {
			if a.name == "" {
				return -1
			}
			return 1
		} else if c := strings.Compare(a.literal, b.literal); c != 0 {
			return c // they match different paths: any order that stays the same will do
		}
	}
	switch {
	case len(u.segments) != len(o.segments):
		return len(o.segments) - len(u.segments)
	case u.rest != o.rest && o.rest:
		return -1
	case u.rest != o.rest:
		return 1
	case (u.method == "") == (o.method == ""):
		return 0
	case o.method == "":
		return -1
	}
	return 1
}

// match reports whether u matches path, whatever the method. With a name it also returns the parameter of that name.
func (u *rule) match(path []byte, name string) (param []byte, ok bool) {
	if len(path) == 0 || path[0] != '/' {
		return nil, false
	}
	path = path[1:]
	for i, s := range u.segments {
		end := len(path)
		for k, c := range path {
			if c == '/' {
				end = k
				break
			}
		}
		part := path[:end]
		if s.name == "" && string(part) != s.literal || s.name != "" && len(part) == 0 {
			return nil, false
		}
		if s.name == name && name != "" {
			param = part
		}
		last := i == len(u.segments)-1
		switch {
		case end == len(path):
			return param, last && !u.rest
		case last && !u.rest:
			return nil, false
		}
		path = path[end+1:]
	}
	if u.restName == name && name != "" {
		param = path
	}
	return param, u.rest
}

// find is the rule for a request. Without one allow lists the methods that the path has, "" for none.
func (r *Router) find(method, path []byte) (u *rule, allow string) {
	var get *rule
	var methods []string
	for _, o := range r.rules {
		if _, ok := o.match(path, ""); !ok {
			continue
		}
		switch {
		case o.method == "" || o.method == string(method):
			if get != nil && (o.method == "" || get.compare(o) != 0) {
				return get, "" // it is more specific
			}
			return o, ""
		case o.method == "GET" && get == nil && string(method) == "HEAD":
			get = o
		}
		if !slices.Contains(methods, o.method) {
			methods = append(methods, o.method)
		}
	}
	if slices.Contains(methods, "GET") && !slices.Contains(methods, "HEAD") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return get, strings.Join(methods, ", ")
}
