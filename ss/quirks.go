package ss

import "github.com/millrace/millrace/wsi"

// quirks is what one endpoint is known not to manage, so that the next attempt need not find out once more.
type quirks uint8

const (
	noWSOverH2  quirks = 1 << iota // WebSockets on its HTTP/2 connections: they have one of HTTP/1.1 each
	noWSDeflate                    // a well-formed answer to an offer of permessage-deflate: it gets none
)

// quirksMax bounds the endpoints whose quirks are remembered. The oldest are forgotten first, which costs them one attempt.
const quirksMax = 256

// endpointKey names an endpoint.
type endpointKey struct {
	target wsi.Target
	tls    bool
}

func (t *target) endpoint() endpointKey { return endpointKey{t.dial, t.tls} }

// quirkMemory has the quirks of a runtime's endpoints.
type quirkMemory struct {
	known map[endpointKey]quirks
	order []endpointKey // in which they became known
}

func (m *quirkMemory) of(t *target) quirks { return m.known[t.endpoint()] }

func (m *quirkMemory) add(t *target, q quirks) {
	key := t.endpoint()
	if m.known == nil {
		m.known = make(map[endpointKey]quirks)
	}
	if _, ok := m.known[key]; !ok {
		if len(m.order) == quirksMax {
			delete(m.known, m.order[0])
			m.order = m.order[:copy(m.order, m.order[1:])]
		}
		m.order = append(m.order, key)
	}
	m.known[key] |= q
}

func (m *quirkMemory) forget(t *target) {
	key := t.endpoint()
	if _, ok := m.known[key]; !ok {
		return
	}
	delete(m.known, key)
	for i, k := range m.order {
		if k == key {
			m.order = append(m.order[:i], m.order[i+1:]...)
			return
		}
	}
}
