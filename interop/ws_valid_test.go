package interop

import (
	"fmt"
	"sync"
	"testing"
)

// Connections without data for longer than the policy's idle limit stay open, since every peer answers our
// pings: pings of our clients to its server, and of our server to its client.
func TestWebSocketValidity(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	c := newWSGo(t, keys, nil)
	c.lib = newCoder(t, c.tls)
	peers := map[string]wsPeer{"gorilla": newWSGo(t, keys, gorilla{}), "coder": c, "gws": newWSGo(t, keys, gwsLibrary{})}
	// Missing programs are reported by the tests that hold all conversations.
	if hasWSNode() == "" {
		peers["node"] = newWSNode(t, keys)
	}
	if hasWSPython() == "" {
		peers["python"] = newWSPython(t, keys)
	}
	client := &wsConversation{idle: true, code: 3000, reason: "we have heard enough"}
	server := &wsConversation{idle: true, code: 3001, reason: "you have heard enough", byServer: true}
	runtimes := map[string]*wsRuntime{}
	var all sync.WaitGroup
	for name, peer := range peers {
		h := newWSRuntime(t, keys, wsTerms{alive: true}, peer)
		runtimes[name] = h
		hold := func(what string, conversation *wsConversation, cli, srv wsPeer, ours bool) {
			said, saw := conversation.hold(t, cli, srv)
			conversation.check(t, said, saw, ours)
			if t.Failed() {
				t.Logf("that was %s, %s", name, what)
			}
		}
		all.Go(func() { hold("its server", client, h, peer, false) })
		all.Go(func() { hold("its client", server, peer, h, true) })
	}
	// Each of two connections is pinged once a second. After five pings it has been without data for longer than the limit;
	// only pongs kept it open.
	const connections, pings = 2, 5
	for name, h := range runtimes {
		poll(t, fmt.Sprintf("%s to be pinged %d times on each of its connections", name, pings), func() bool {
			var probes uint64
			h.do(func() { plain, _ := h.rt.WS(); probes = plain.Probes })
			return probes >= connections*pings
		})
	}
	for name, h := range runtimes {
		h.do(func() {
			if len(h.idle) != connections {
				t.Errorf("%s: %d connections, want %d", name, len(h.idle), connections)
			}
			for _, end := range h.idle {
				end()
			}
		})
	}
	all.Wait()
	for _, h := range runtimes {
		h.rest(t)
		h.sound(t)
	}
}
