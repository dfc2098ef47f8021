package ss

// routed is an accepted stream of a Router.
type routed struct {
	router  *Router
	rule    *rule     // of the present request; nil: there is none, or it is answered
	path    []byte    // its path: the request's own, or a copy while its body is awaited
	present Stream    // what serves it; nil: a function
	made    []Stream  // by rule.index; nil before the first
	body    *bodyRead // of ReadBody; nil before the first
}

// bodyRead is a body that ReadBody reads.
type bodyRead struct {
	held  gather
	limit int
	f     func(h *Handle, body []byte) Ret // nil: none is awaited
}

var _ Stream = (*routed)(nil)

// New makes the Stream of the server stream and of each accepted stream: it is for Info.New.
func (r *Router) New(h *Handle) Stream {
	if h.Server() == nil {
		return Base{}
	}
	return &routed{router: r}
}

// State implements Stream.
func (x *routed) State(h *Handle, s State, n Notice) Ret {
	switch s {
	case ServerTxn, ServerUpgrade:
		return x.route(h, s, n)
	case Creating, Connecting, Connected:
		return OK
	case Disconnected, Destroying:
		r := OK
		for _, m := range x.made {
			if m != nil {
				if a := m.State(h, s, n); a != OK {
					r = a
				}
			}
		}
		if x.body != nil {
			x.body.f = nil
			x.body.held.drop()
		}
		return r
	}
	if x.present != nil {
		return x.present.State(h, s, n)
	}
	return OK
}

// route has a request answered.
func (x *routed) route(h *Handle, s State, n Notice) Ret {
	if x.body != nil {
		x.body.f = nil
		x.body.held.drop()
	}
	x.present = nil
	m := h.Head()
	u, allow := x.router.find(m.Method, m.Path)
	status := 404
	switch {
	case u == nil && allow != "":
		status = 405
		_ = h.SetHeader("allow", allow) // methods are tokens: a field can carry them
	case u != nil && u.newStream == nil && s == ServerUpgrade:
		status, u = 400, nil
	}
	if u == nil {
		if s == ServerUpgrade {
			h.ServerAck(status)
			return OK
		}
		return Reply(h, status, "", nil)
	}
	x.rule, x.path = u, m.Path
	var r Ret
	if u.newStream == nil {
		r = u.reply(h)
	} else {
		r = x.serve(h, u, s, n)
	}
	if x.body == nil || x.body.f == nil {
		x.path = nil
	}
	return r
}

// serve passes a request to the stream of its rule.
func (x *routed) serve(h *Handle, u *rule, s State, n Notice) Ret {
	if x.made == nil {
		x.made = make([]Stream, x.router.streams)
	}
	m := x.made[u.index]
	if m == nil {
		if m = u.newStream(h); m == nil {
			m = Base{}
		}
		x.made[u.index] = m
		if r := m.State(h, Creating, Notice{}); r != OK {
			return r
		}
	}
	x.present = m
	return m.State(h, s, n)
}

// Rx implements Stream.
func (x *routed) Rx(h *Handle, b []byte, f Flags) Ret {
	if x.present != nil {
		return x.present.Rx(h, b, f)
	}
	w := x.body
	if w == nil || w.f == nil {
		return OK
	}
	if !w.held.add(h, b, w.limit) {
		w.f = nil
		w.held.drop()
		return Reply(h, 413, "", nil)
	}
	if f&EOM == 0 {
		return OK
	}
	done := w.f
	w.f = nil
	r := done(h, w.held.bytes())
	w.held.drop()
	x.path = nil
	return r
}

// Tx implements Stream.
func (x *routed) Tx(h *Handle, ordinal uint32, buf []byte) (int, Flags, Ret) {
	if x.present != nil {
		return x.present.Tx(h, ordinal, buf)
	}
	return 0, 0, TxDontSend
}

// PathValue is the parameter called name of the pattern that the present request matches, nil if there is none. It is not
// decoded. It may be called in SERVER_TXN and SERVER_UPGRADE of a stream of a Router, and in the function of ReadBody, and is
// valid during the callback.
func PathValue(h *Handle, name string) []byte {
	x, ok := h.Stream().(*routed)
	if !ok || x.rule == nil || x.path == nil || name == "" {
		return nil
	}
	v, _ := x.rule.match(x.path, name)
	return v
}

// ReadBody collects the body of the present request, up to limit bytes (0 means 64 KiB), and then calls f with it: at once
// if the request has no body. body is valid during the call, in which PathValue can be used, and Handle.Head not any more.
// A longer body is answered with 413; when the client leaves before its end, f is not called. It is for functions of a
// Router, which return its result; anywhere else it disconnects the stream.
func ReadBody(h *Handle, limit int, f func(h *Handle, body []byte) Ret) Ret {
	x, ok := h.Stream().(*routed)
	switch {
	case !ok || x.present != nil || x.path == nil:
		h.Disconnect()
		return DisconnectMe
	case !h.RequestBody():
		return f(h, nil)
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	if m := h.Head(); m != nil && m.Length > int64(limit) {
		return Reply(h, 413, "", nil)
	}
	if x.body == nil {
		x.body = new(bodyRead)
	}
	x.body.limit, x.body.f = limit, f
	x.path = append([]byte(nil), x.path...)
	return OK
}
