package ss

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/ws"
	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// fakeBackend answers every method with a value that no default has, and writes down its name.
type fakeBackend struct {
	calls  []string
	parent *Handle
}

var errFake = errors.New("the fake's error")

func (b *fakeBackend) note(format string, args ...any) {
	b.calls = append(b.calls, fmt.Sprintf(format, args...))
}

func (b *fakeBackend) connect(_ *Handle, poll bool) Ret {
	b.note("connect %v", poll)
	return DisconnectMe
}
func (b *fakeBackend) requestTx(*Handle) Ret             { b.note("requestTx"); return TxDontSend }
func (b *fakeBackend) flow(h *Handle)                    { b.note("flow %v", h.flags&isPaused != 0) }
func (b *fakeBackend) settle(h *Handle, _ time.Duration) { b.note("settle") }
func (b *fakeBackend) release(*Handle)                   { b.note("release") }
func (b *fakeBackend) drain(h *Handle)                   { b.note("drain"); h.Destroy() }
func (b *fakeBackend) describe(*Handle) string           { b.note("describe"); return "a fake" }
func (b *fakeBackend) listens() bool                     { return false }
func (b *fakeBackend) parentStream() *Handle             { b.note("parentStream"); return b.parent }
func (b *fakeBackend) protocol() (policy.Protocol, bool) {
	b.note("protocol")
	return policy.MQTT, true
}
func (b *fakeBackend) wsi() *wsi.Wsi                 { b.note("wsi"); return nil }
func (b *fakeBackend) httpStatus() int               { b.note("httpStatus"); return 299 }
func (b *fakeBackend) rideshare() string             { b.note("rideshare"); return "rider" }
func (b *fakeBackend) peerCredit() int64             { b.note("peerCredit"); return 77 }
func (b *fakeBackend) addPeerCredit(n int) error     { b.note("addPeerCredit %d", n); return errFake }
func (b *fakeBackend) requestBody() bool             { b.note("requestBody"); return true }
func (b *fakeBackend) serverAck(_ *Handle, code int) { b.note("serverAck %d", code) }
func (b *fakeBackend) addr() (loop.Addr, bool)       { b.note("addr"); return fakeAddr(1), true }
func (b *fakeBackend) peer() (loop.Addr, bool)       { b.note("peer"); return fakeAddr(2), true }
func (b *fakeBackend) tlsState() (tls.State, bool) {
	b.note("tlsState")
	return tls.State{ALPN: "fake"}, true
}
func (b *fakeBackend) send(_ *Handle, p []byte, f Flags) (int, error) {
	b.note("send %q %d", p, f)
	return 3, nil
}
func (b *fakeBackend) setClose(code ws.Code, reason string) (bool, error) {
	b.note("setClose %d %q", code, reason)
	if reason == "bad" {
		return true, errFake
	}
	return true, nil
}
func (b *fakeBackend) setCertificates(_ *Handle, list []stdtls.Certificate) error {
	b.note("setCertificates %d", len(list))
	return errFake
}

func fakeAddr(n byte) loop.Addr {
	return loop.Addr{IP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 8, n}), 7)}
}

// handleMethods has a row for every exported method of Handle: what it answers over a fakeBackend, and what it calls of
// the backend. A method that the handle itself fulfils has no calls, and the reason why it needs none.
var handleMethods = map[string]struct {
	call  func(h *Handle) any
	want  any
	calls string
	own   string // why no backend has to know
}{
	"AddPeerTxCredit":    {call: func(h *Handle) any { return h.AddPeerTxCredit(5) }, want: errFake, calls: "addPeerCredit 5"},
	"AddCleanup":         {own: "the runtime keeps the list"},
	"Addr":               {call: func(h *Handle) any { a, ok := h.Addr(); return fmt.Sprint(a, ok) }, want: fmt.Sprint(fakeAddr(1), true), calls: "addr"},
	"After":              {own: "a timer of the loop"},
	"CancelTimeout":      {own: "the stream's timer is the handle's"},
	"ChangeHandlers":     {own: "the callbacks are the handle's"},
	"Connect":            {call: func(h *Handle) any { return h.Connect() }, want: DisconnectMe, calls: "connect false"},
	"Destroy":            {call: turnAfter((*Handle).Destroy), calls: "release"},
	"Disconnect":         {call: turnAfter((*Handle).Disconnect), calls: "settle"},
	"DisconnectWith":     {call: func(h *Handle) any { return h.DisconnectWith(1000, "bad") }, want: errFake, calls: `setClose 1000 "bad"`},
	"Every":              {own: "a timer of the loop"},
	"Finish":             {call: func(h *Handle) any { return h.Finish(1001, "bad") }, want: errFake, calls: `setClose 1001 "bad"`},
	"ForEachClient":      {call: clientsOf, want: 1}, // parentStream was asked when the stream was made
	"GetEstPeerTxCredit": {call: func(h *Handle) any { return h.GetEstPeerTxCredit() }, want: int64(77), calls: "peerCredit"},
	"HTTPStatus":         {call: func(h *Handle) any { return h.HTTPStatus() }, want: 299, calls: "httpStatus"},
	"Head":               {own: "a backend shows the head while it tells a state"},
	"Label":              {own: "the name is the policy's"},
	"Life":               {own: "a backend reports each state by tell"},
	"Metadata":           {own: "a backend reports what the peer says by setFromPeer"},
	"Pause":              {call: func(h *Handle) any { h.Pause(); return nil }, calls: "flow true"},
	"Peer":               {call: func(h *Handle) any { a, ok := h.Peer(); return fmt.Sprint(a, ok) }, want: fmt.Sprint(fakeAddr(2), true), calls: "peer"},
	"Policy":             {own: "the policy is the handle's"},
	"Protocol":           {call: func(h *Handle) any { p, ok := h.Protocol(); return fmt.Sprint(p, ok) }, want: fmt.Sprint(policy.MQTT, true), calls: "protocol"},
	"RequestBody":        {call: func(h *Handle) any { return h.RequestBody() }, want: true, calls: "requestBody"},
	"RequestTx":          {call: func(h *Handle) any { return h.RequestTx() }, want: TxDontSend, calls: "requestTx"},
	"RequestTxLen":       {call: func(h *Handle) any { return h.RequestTxLen(4) }, want: TxDontSend, calls: "requestTx"},
	"Resume":             {call: func(h *Handle) any { h.flags |= isPaused; h.Resume(); return nil }, calls: "flow false"},
	"Rideshare":          {call: func(h *Handle) any { return h.Rideshare() }, want: "rider", calls: "rideshare"},
	"Runtime":            {own: "the runtime is the handle's"},
	"Send":               {call: func(h *Handle) any { n, err := h.Send([]byte("abc"), SOM); return fmt.Sprint(n, err) }, want: "3 <nil>", calls: `send "abc" 1`},
	"SendFile":           {own: "reads away from the loop, and sends by Send"},
	"Server":             {call: func(h *Handle) any { return h.Server() == h.be.(*fakeBackend).parent }, want: true, calls: "parentStream"},
	"ServerAck":          {call: func(h *Handle) any { h.ServerAck(404); return nil }, calls: "serverAck 404"},
	"SetCertificates":    {call: func(h *Handle) any { return h.SetCertificates(make([]stdtls.Certificate, 2)) }, want: errFake, calls: "setCertificates 2"},
	"SetHeader":          {call: func(h *Handle) any { return h.SetHeader("x-y", "z") }, calls: "parentStream"},
	"SetMetadata":        {own: "a backend asks for the values when it sends"},
	"SetMetadataString":  {own: "as SetMetadata"},
	"StartTimeout":       {own: "the stream's timer is the handle's"},
	"Stream":             {own: "the callbacks are the handle's"},
	"StreamType":         {own: "the name is the policy's"},
	"Subprotocol":        {own: "a backend reports it by agree"},
	"TxFrom":             {own: "the callbacks are the handle's"},
	"TLS":                {call: func(h *Handle) any { s, ok := h.TLS(); return fmt.Sprint(s.ALPN, " ", ok) }, want: "fake true", calls: "tlsState"},
}

// turnAfter calls f, and has a turn pass.
func turnAfter(f func(h *Handle)) func(h *Handle) any {
	return func(h *Handle) any {
		f(h)
		if err := h.rt.loop.Service(); err != nil {
			return err
		}
		return nil
	}
}

// clientsOf is how many streams the listener of h finds.
func clientsOf(h *Handle) any {
	n := 0
	h.be.(*fakeBackend).parent.ForEachClient(func(c *Handle) {
		if c == h {
			n++
		}
	})
	return n
}

// TestHandleCallsBackend: each exported method of Handle returns an answer of its backend that Handle cannot compute.
func TestHandleCallsBackend(t *testing.T) {
	typ := reflect.TypeFor[*Handle]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		c, ok := handleMethods[name]
		switch {
		case !ok:
			t.Errorf("Handle.%s: no row in handleMethods: add it to backend, and a row", name)
			continue
		case c.own != "":
			continue
		}
		t.Run(name, func(t *testing.T) {
			h, b := overFake(t)
			got := c.call(h)
			if got != c.want {
				t.Errorf("answer: got %v, want %v", got, c.want)
			}
			if all := strings.Join(b.calls, ", "); !strings.Contains(", "+all+",", ", "+c.calls+",") {
				t.Errorf("calls of the backend: got %q, want %q among them", all, c.calls)
			}
		})
	}
	for name := range handleMethods {
		if _, ok := typ.MethodByName(name); !ok {
			t.Errorf("handleMethods has a row %s, but Handle has no such method", name)
		}
	}
}

// TestRuntimeCallsBackends is the same for the methods of Runtime that act on all streams.
func TestRuntimeCallsBackends(t *testing.T) {
	h, b := overFake(t)
	var out strings.Builder
	h.rt.Dump(&out)
	if !strings.Contains(out.String(), "a fake") {
		t.Errorf("Dump: got %q, want the backend's description in it", out.String())
	}
	done := false
	h.rt.Drain(func() { done = true })
	for range 3 {
		if err := h.rt.loop.Service(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(b.calls, ", "); !done || !strings.Contains(got, "describe") || !strings.Contains(got, "drain, release") {
		t.Errorf("calls of the backend: got %q, want describe, drain and release; drained %v", got, done)
	}
}

// TestDefaultsAreDocumented: the answers of a backend that embeds only defaults.
func TestDefaultsAreDocumented(t *testing.T) {
	h, _ := overFake(t)
	d := defaults{}
	_, isTLS := d.tlsState()
	_, hasAddr := d.addr()
	_, hasPeer := d.peer()
	n, sendErr := d.send(h, []byte("x"), EOM)
	isWS, err := d.setClose(0, "") // not a code that may be sent
	got := fmt.Sprint(d.listens(), d.parentStream() == nil, hasAddr, hasPeer, d.requestBody(), isTLS, d.wsi() == nil,
		d.httpStatus(), d.rideshare() == "", d.peerCredit(), n, sendErr == ErrNotConnected, isWS, err)
	if want := "false true false false false false true 0 true 0 0 true false <nil>"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if err := d.addPeerCredit(1); !errors.Is(err, ErrNoCredit) {
		t.Errorf("addPeerCredit: got %v, want ErrNoCredit", err)
	}
	if err := d.setCertificates(h, nil); !errors.Is(err, ErrMisuse) {
		t.Errorf("setCertificates: got %v, want ErrMisuse", err)
	}
	d.drain(h)
	if h.flags&wantDestroy == 0 {
		t.Error("drain: got a stream that stays, want it destroyed")
	}
}

// overFake makes a stream that a fakeBackend fulfils, and that another stream has accepted.
func overFake(t *testing.T) (*Handle, *fakeBackend) {
	pol, err := policy.Parse([]byte(`{"s":[{"c":{"endpoint":"10.0.0.2","port":80,"protocol":"raw"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	net := sim.New(1, sim.Options{})
	r, err := New(Config{Loop: loop.New(net.Host("a", netip.MustParseAddr("10.0.0.1")), loop.Config{}), Policy: pol})
	if err != nil {
		t.Fatal(err)
	}
	stream := func(b backend) *Handle {
		h := &Handle{rt: r, streamType: r.streamTypeOf(pol.Stream("c")), hint: -1, be: b, stream: ignore{}}
		r.table.add(h)
		h.tell(Creating, Notice{})
		return h
	}
	b := &fakeBackend{parent: stream(&fakeBackend{})}
	h := stream(b)
	b.calls = nil
	return h, b
}
