package sim

import "net/netip"

// ephemeral finds a local port that no listener and no connection to the same peer uses.
func (h *Host) ephemeral(to netip.AddrPort) (uint16, bool) {
	for range lastEphemeral - firstEphemeral + 1 {
		h.port++
		if h.port > lastEphemeral || h.port < firstEphemeral {
			h.port = firstEphemeral
		}
		key := tuple{h.port, to}
		if _, used := h.conns[key]; !used && len(h.listeners[h.port]) == 0 {
			h.conns[key] = struct{}{}
			return h.port, true
		}
	}
	return 0, false
}

// forget frees the ephemeral port.
func (h *Host) forget(s *sock) {
	if s.bound {
		s.bound = false
		delete(h.conns, tuple{s.local.IP.Port(), s.peer.IP})
	}
}
