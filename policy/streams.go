package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// current holds what can be checked only when the whole stream type has been read.
type current struct {
	templates  []pendingTemplate
	meta       []position // where each metadata item is declared
	metaNames  []metaName
	respMap    []position // where each status is mapped
	protocolOK bool       // the protocol is a known one, not just the default
	h1get      bool
}

// pendingTemplate is a text with ${} in it that waits for the metadata to be known.
type pendingTemplate struct {
	dst  *Template
	text string
	form *form
	nth  int // member of the stream type, and its name
	name string
}

// metaName is the name of a metadata item where one is referred to as a whole.
type metaName struct {
	text string
	nth  int
	name string
}

// rideshareRef is a rideshare, which may be defined after its user.
type rideshareRef struct {
	rider *Stream
	reference
}

func (c *checker) streamSection(v *fastjson.Value) {
	c.members(v, "an array of stream types, each {name: {...}}", func(name string, v *fastjson.Value) {
		c.name(name)
		if len(c.policy.Streams) == maxStreams {
			c.badName("more than "+strconv.Itoa(maxStreams)+" stream types", "split the document")
			return
		}
		s := newStream(name)
		s.nth = c.at.nth[c.at.n-2]
		c.streams.define(c, "stream type", name, s)
		c.policy.Streams = append(c.policy.Streams, s)
		if o := c.object(v, "a stream type, which is an object"); o != nil {
			c.stream(s, o)
		}
	})
}

// stream reads one stream type.
func (c *checker) stream(s *Stream, o *fastjson.Object) {
	c.cur = current{templates: c.cur.templates[:0], meta: c.cur.meta[:0], metaNames: c.cur.metaNames[:0], respMap: c.cur.respMap[:0]}
	m := walk(c, streamKeys, o, s)
	s.given = m.given
	c.expandable(s)
	c.applicable(s, m)
	c.credentials(s, o, m)
	c.encrypted(s, m)
	c.advice(s, m)

	http := &s.HTTP
	http.Multipart = http.MultipartName != "" || http.MultipartFilename != "" || http.MultipartContentType != ""
	if c.cur.h1get && http.Method != "" && http.Method != "GET" {
		c.disagree(m, "protocol", `"h1get" means GET, but http_method is `+quote(http.Method), `write "h1"`)
	}
	if http.Method == "" {
		http.Method = "GET"
	}
	if p := &s.Proxy; p.RxflowOnAbove > 0 && p.RxflowOffBelow > p.RxflowOnAbove {
		c.disagree(m, "proxy_buflen_rxflow_off_below", "more than proxy_buflen_rxflow_on_above", "make it less")
	}
	if p := &s.Proxy; p.ClientRxflowOn > 0 && p.ClientRxflowOff > p.ClientRxflowOn {
		c.disagree(m, "client_buflen_rxflow_off_below", "more than client_buflen_rxflow_on_above", "make it less")
	}
}

// disagree reports a key whose value does not go with another's.
func (c *checker) disagree(m *members, key, msg, fix string) {
	c.atMember(m, streamKeys.find(key), func() { c.bad(msg, fix) })
}

// expandable compiles the templates, now that the metadata they name is known.
func (c *checker) expandable(s *Stream) {
	for _, t := range c.cur.templates {
		c.enter(t.nth, t.name)
		*t.dst = compile(t.text, s.MetadataIndex, c.bad)
		t.dst.key = t.name
		switch t.form {
		case endpointForm:
			t.dst.locateEndpoint(s.Server, c.bad)
		case urlForm:
			t.dst.locate(inTarget, MaxTarget, c.bad)
		case topicForm:
			t.dst.locate(inTopic, maxMQTT, c.bad)
		case filterForm:
			t.dst.locate(inFilter, maxMQTT, c.bad)
		default:
			t.dst.locate(inText, maxMQTT, c.bad)
		}
		if literals := t.dst.literals(); literals != "" {
			if wrong := t.form.check(literals); wrong != "" {
				c.bad("not a "+t.form.name+": "+wrong, t.form.fix)
			}
		}
		c.work += len(t.dst.parts)
		c.leave()
	}
	for _, m := range c.cur.metaNames {
		if s.MetadataIndex(m.text) < 0 {
			c.enter(m.nth, m.name)
			c.bad("metadata "+quote(m.text)+" is not declared", `declare it in this stream type: "metadata": [{`+quote(m.text)+`: ""}]`)
			c.leave()
		}
	}
}

// applicable reports the keys that the protocol, or the side, of the stream type has no use for. Without
// a known protocol there is nothing to compare with.
func (c *checker) applicable(s *Stream, m *members) {
	known := c.cur.protocolOK || !s.Given("protocol")
	for i := range streamKeys.rows {
		k := &streamKeys.rows[i].key
		if !s.given.has(i) {
			continue
		}
		if known && !k.on.has(s) {
			c.atMember(m, i, func() {
				c.badName(k.name+" means nothing to "+s.Protocol.String()+" streams", "it is for "+k.on.String()+"; remove it, or change the protocol")
			})
		}
		if k.side == clientSide && s.Server {
			c.atMember(m, i, func() { c.warnName("means nothing to a server", "remove it") })
		}
		if k.side == serverSide && !s.Server {
			c.atMember(m, i, func() {
				c.badName(k.name+" is for servers only", `remove it, or add "server": true`)
			})
		}
	}
}

func (c *checker) protocol(s *Stream, name string) {
	c.cur.protocolOK = true
	if name == protocolH1Get {
		c.cur.h1get, name = true, "h1"
	}
	for p, known := range protocolNames {
		if known == name {
			s.Protocol = Protocol(p)
		}
	}
}

// template makes the put of a key with ${} in it.
func template(field func(*Stream) *Template) func(*checker, *Stream, value) {
	return func(c *checker, s *Stream, v value) {
		last := c.at.n - 1
		c.cur.templates = append(c.cur.templates, pendingTemplate{field(s), v.text, v.key.form, c.at.nth[last], c.names[last]})
	}
}

func (c *checker) metadataName(dst *string, name string) {
	*dst = name
	last := c.at.n - 1
	c.cur.metaNames = append(c.cur.metaNames, metaName{name, c.at.nth[last], c.names[last]})
}

func (c *checker) metadata(s *Stream, v *fastjson.Value) {
	c.members(v, `an array of metadata, each {name: header field or ""}`, func(name string, v *fastjson.Value) {
		c.name(name)
		if strings.Contains(name, "}") {
			c.badName("a } in a metadata name, which ${} could not hold", "rename it")
		}
		if i := s.MetadataIndex(name); i >= 0 {
			c.again(c.cur.meta[i], "duplicate metadata name, first defined", "rename or remove one of them")
			return
		}
		if len(s.Metadata) == maxMetadata {
			c.badName("more than "+strconv.Itoa(maxMetadata)+" metadata items", "remove some")
			return
		}
		m := Metadata{Name: name}
		switch {
		case v.Type() != fastjson.TypeString:
			c.bad("wants the name of a header field, got "+describe(v), `write "" when it maps to none`)
		case len(v.GetStringBytes()) > 0:
			header := string(v.GetStringBytes())
			if wrong := headerForm.check(header); wrong != "" {
				c.bad("not a header field name: "+wrong, headerForm.fix)
			}
			m.Header = strings.TrimSuffix(header, ":")
		}
		s.Metadata = append(s.Metadata, m)
		c.cur.meta = append(c.cur.meta, c.at)
	})
}

func (c *checker) options(s *Stream, v *fastjson.Value) {
	c.members(v, "an array of options, each {name: value}", func(name string, v *fastjson.Value) {
		c.name(name)
		switch {
		case v.Type() != fastjson.TypeString:
			c.bad("wants a string, got "+describe(v), "put it in double quotes")
		case len(s.Options) == maxOptions:
			c.badName("more than "+strconv.Itoa(maxOptions)+" options", "remove some")
		default:
			s.Options = append(s.Options, Option{name, string(v.GetStringBytes())})
		}
	})
}

// maxStreams is the most stream types of a document. A proxy for a whole device has dozens; each costs a kilobyte,
// a hundred times its shortest text.
const maxStreams = 4096

const (
	minStatus, maxStatus = 200, 999 // final statuses: RFC 9110 s.15, and the private ones above 599 that devices meet
	minState, maxState   = 1000, 65535
)

func (c *checker) respMap(s *Stream, v *fastjson.Value) {
	c.members(v, "an array of statuses, each {status: state}", func(name string, v *fastjson.Value) {
		status, err := strconv.Atoi(name)
		if err != nil || status < minStatus || status > maxStatus || strconv.Itoa(status) != name {
			c.badName(quote(name)+" is not a status", fmt.Sprintf("a status is %d to %d, in quotes", minStatus, maxStatus))
		}
		for i, m := range s.HTTP.RespMap {
			if m.Status == status && err == nil {
				c.again(c.cur.respMap[i], "duplicate mapping of this status, first given", "remove one of them")
				return
			}
		}
		if len(s.HTTP.RespMap) == maxRespMap {
			c.badName("more than "+strconv.Itoa(maxRespMap)+" statuses", "remove some")
			return
		}
		state, _ := c.integer(v, minState, maxState, "user state")
		s.HTTP.RespMap = append(s.HTTP.RespMap, RespMap{status, uint32(state)})
		c.cur.respMap = append(c.cur.respMap, c.at)
	})
}

func (c *checker) ride(s *Stream, name string) {
	c.rideshares = append(c.rideshares, rideshareRef{s, reference{c.at, c.path(), name, "stream type", `"s"`, c.streams.positionOf, c.streams.nearest}})
}
