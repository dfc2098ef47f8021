package ss

import "github.com/millrace/millrace/wsi"

// quirks are the features that an endpoint was found not to support, so that the next attempt does not try them.
type quirks uint8

const (
	noWSOverH2  quirks = 1 << iota // no WebSockets on HTTP/2 connections: each gets an HTTP/1.1 connection
	noWSDeflate                    // malformed answer to an offer of permessage-deflate: it is not offered
)

// quirksMax limits the endpoints whose quirks are kept. The oldest are dropped first, which costs them one attempt.
const quirksMax = 256

// endpointKey names an endpoint.
type endpointKey struct {
	target wsi.Target
	tls    bool
}

func (t *target) endpoint() endpointKey { return endpointKey{t.dial, t.tls} }

// quirkMemory holds the quirks of a runtime's endpoints.
type quirkMemory struct {
	known map[endpointKey]quirks
	order []endpointKey // in order of the first quirk
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
