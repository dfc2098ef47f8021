package ss

import (
	"strings"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/roles/ws"
)

// This file creates streams: it chooses the backend by the policy. It is above the files of all
// backends.

// Create makes a stream. CREATING is delivered before it returns; a server listens before it returns. The error is a
// *CreateError: an unknown stream type, a server that cannot listen, or a stream that returned LWSSSSRET_DESTROY_ME
// for CREATING. Later failures of the network are states, not errors.
func (r *Runtime) Create(i Info) (*Handle, error) {
	refuse := func(err error, hint string) (*Handle, error) {
		return nil, &CreateError{StreamType: i.StreamType, Err: err, Hint: hint}
	}
	if r.astray("Create") {
		return refuse(ErrWrongThread, "")
	}
	if r.closed || r.drain != nil {
		return refuse(ErrClosed, "")
	}
	if err := r.loop.Poisoned(); err != nil {
		return refuse(err, "")
	}
	p := r.pol.Stream(i.StreamType)
	if i.StreamType == smdStreamType {
		return refuse(ErrUnsupported, "system messages are not in the specification; post to the loop instead")
	}
	if p == nil {
		hint := "the name must be in \"s\""
		if near := r.pol.Nearest(i.StreamType); near != "" {
			hint = "did you mean \"" + near + "\"?"
		}
		return refuse(ErrNoSuchStreamType, hint)
	}
	if hint := r.unsupported(p); hint != "" {
		return refuse(ErrUnsupported, hint)
	}
	if !p.Server {
		if err := r.checkSecure(p); err != nil {
			return refuse(err, "")
		}
	}
	h := &Handle{rt: r, streamType: r.streamTypeOf(p), hint: -1}
	if p.Server {
		l, err := r.listen(h, i)
		if err != nil {
			return refuse(err, "")
		}
		h.be = l
	} else {
		h.be = newDirect(h, i)
	}
	if !h.begin(i.New) {
		return refuse(ErrDestroyed, "the stream returned LWSSSSRET_DESTROY_ME for CREATING")
	}
	if p.NailedUp && !p.Server {
		h.Connect()
	}
	return h, nil
}

// smdStreamType is the stream type of libwebsockets' system messages.
const smdStreamType = "_lws_smd"

// unsupported returns the feature of a stream type that this release does not implement, "" if it implements all. A
// feature that concerns the path to the peer, or our identity, must not be ignored silently.
func (r *Runtime) unsupported(p *policy.Stream) string {
	switch {
	case p.Protocol == policy.H3 || p.Protocol == policy.MQTT:
		return "protocol \"" + p.Protocol.String() + "\" is not implemented yet; use \"h1\", \"h2\", \"ws\" or \"raw\""
	case p.LocalSink:
		return "\"local_sink\" is not in the specification and not implemented"
	case p.Server:
	case p.Auth != nil:
		return "\"use_auth\" is not implemented yet, and the requests would be unsigned; http_auth_header can send a token from a blob"
	case p.ViaSocks5 != "" && p.NeedsSocks5(""):
		return "the stream type's \"via-socks5\" is not implemented yet, and the stream would connect directly"
	case r.pol.ViaSocks5 != "" && p.NeedsSocks5(r.pol.ViaSocks5):
		return "the policy's \"via-socks5\" is not implemented yet, and the stream would connect directly; \"via-socks5\": \"none\" in the stream type allows that"
	case p.NeedsSocks5(r.cfg.SocksProxy):
		return "a SOCKS5 proxy is configured (socks_proxy, Config.SocksProxy), which is not implemented yet, and the stream would connect directly; unset it, or set \"via-socks5\": \"none\" in the stream type"
	}
	return ""
}

func newDirect(h *Handle, i Info) *direct {
	o := &direct{h: h, credit: max(i.ManualInitialTxCredit, 0)}
	switch h.streamType.pol.Protocol {
	case policy.Raw:
		o.binding = &rawClient{o: o}
	default:
		o.binding = &httpClient{o: o}
	}
	return o
}

func (r *Runtime) streamTypeOf(p *policy.Stream) *streamType {
	if k := r.streamTypes[p]; k != nil {
		return k
	}
	k := &streamType{
		pol: p,

		socksProxy: r.pol.ViaSocks5,

		method:    []byte(p.HTTP.Method),
		length:    -1,
		setMethod: p.MetadataIndex("method"),
		setPath:   p.MetadataIndex("path"),
		setAuth:   p.MetadataIndex("auth"),

		setAuthority: p.MetadataIndex("authority"),
		validity:     ws.Validity{Ping: p.Retry.ValidPing, Hangup: p.Retry.ValidHup},
		socket:       socketOptions(p.Attr),
	}
	if p.ValidityWakes {
		r.log.Warn("swake_validity needs timers that wake a suspended system, which are not implemented yet; ordinary timers are used",
			"stream", p.Name)
	}
	if p.Protocol == policy.Raw {
		k.socket.KeepAlive, k.socket.UserTimeout = rawValidity(p.Retry)
	}
	for _, name := range strings.Split(p.WS.Subprotocol, ",") {
		if name = strings.TrimLeft(name, " "); name != "" {
			k.subprotocols = append(k.subprotocols, name)
		}
	}
	if len(k.method) == 0 {
		k.method = []byte("GET")
	}
	for i, m := range p.Metadata {
		k.argument = append(k.argument, m.Header == "" && i != k.setMethod && i != k.setPath && i != k.setAuth && i != k.setAuthority)
		f := field{index: i, name: []byte(m.Header), lower: strings.ToLower(m.Header), id: http.Lookup([]byte(m.Header))}
		f.class = http.ClassOf(f.name, f.id)
		if len(f.name) > 0 {
			k.asked = append(k.asked, f)
		}
		switch {
		case len(f.name) == 0:
		case f.id == http.ContentLength:
			k.length = i
		case f.id.Framing():
			r.log.Warn("metadata maps to a header field that the protocol writes itself; it is not sent",
				"stream", p.Name, "metadata", m.Name, "field", m.Header)
		default:
			k.fields = append(k.fields, f)
		}
	}
	for _, f := range blobFields(p) {
		if f.id.Framing() {
			r.log.Warn("a blob is to go into a header field that the protocol writes itself; it is not sent",
				"stream", p.Name, "key", f.key, "field", string(f.name))
			continue
		}
		k.blobs = append(k.blobs, f)
	}
	for _, f := range k.asked {
		if isOfPart(f.lower, f.id) {
			k.ofParts = append(k.ofParts, f)
		}
	}
	k.form = newForm(p, r.log)
	r.streamTypes[p] = k
	return k
}
