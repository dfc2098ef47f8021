package ss

import (
	"testing"

	"github.com/millrace/millrace/wsi"
)

// TestQuirkMemoryIsBounded: endpoints may contain metadata, so their number is unlimited.
func TestQuirkMemoryIsBounded(t *testing.T) {
	var m quirkMemory
	at := func(port int) *target { return &target{dial: wsi.Target{Host: "h", Port: uint16(port)}} }
	for i := range 3 * quirksMax {
		m.add(at(i+1), noWSOverH2)
		m.add(at(i+1), noWSDeflate)
	}
	if len(m.known) != quirksMax || len(m.order) != quirksMax {
		t.Errorf("endpoints remembered: got %d and %d in order, want %d", len(m.known), len(m.order), quirksMax)
	}
	if got := m.of(at(3 * quirksMax)); got != noWSOverH2|noWSDeflate {
		t.Errorf("quirks of the latest endpoint: got %b, want both", got)
	}
	if got := m.of(at(1)); got != 0 {
		t.Errorf("quirks of the oldest endpoint: got %b, want them forgotten", got)
	}
	m.forget(at(3 * quirksMax))
	m.forget(at(1))
	if m.of(at(3*quirksMax)) != 0 || len(m.known) != quirksMax-1 || len(m.order) != quirksMax-1 {
		t.Errorf("after one was forgotten: got %d and %d in order, want %d", len(m.known), len(m.order), quirksMax-1)
	}
}
