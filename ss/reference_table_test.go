package ss_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// referenceTable is libwebsockets' table of what may follow what, as it stands in its description and apart from the
// package's own copy. Its states and its events are one.
const referenceTable = `
(unset): CREATING, DESTROYING
CREATING: CONNECTING, TIMEOUT, POLL, SERVER_UPGRADE, DESTROYING
DISCONNECTED: CONNECTING, CONNECTED, TIMEOUT, POLL, UNREACHABLE, DESTROYING
UNREACHABLE: ALL_RETRIES_FAILED, TIMEOUT, POLL, UNREACHABLE, CONNECTING, CONNECTED, DESTROYING
AUTH_FAILED: ALL_RETRIES_FAILED, TIMEOUT, CONNECTING, DESTROYING
CONNECTED: SERVER_UPGRADE, SERVER_TXN, AUTH_FAILED, QOS_ACK_REMOTE, QOS_NACK_REMOTE, QOS_ACK_LOCAL, QOS_NACK_LOCAL, DISCONNECTED, TIMEOUT, CONNECTING, POLL, DESTROYING
CONNECTING: UNREACHABLE, AUTH_FAILED, CONNECTING, CONNECTED, QOS_ACK_REMOTE, QOS_NACK_REMOTE, TIMEOUT, POLL, ALL_RETRIES_FAILED, DISCONNECTED, DESTROYING
DESTROYING:
POLL: CONNECTING, TIMEOUT, ALL_RETRIES_FAILED, DESTROYING
ALL_RETRIES_FAILED: CONNECTING, POLL, TIMEOUT, UNREACHABLE, DESTROYING
QOS_ACK_REMOTE: DISCONNECTED, TIMEOUT, CONNECTING, QOS_ACK_REMOTE, QOS_NACK_REMOTE, DESTROYING
QOS_NACK_REMOTE: DISCONNECTED, TIMEOUT, QOS_ACK_REMOTE, QOS_NACK_REMOTE, DESTROYING
QOS_ACK_LOCAL: DISCONNECTED, TIMEOUT, DESTROYING
QOS_NACK_LOCAL: TIMEOUT, DESTROYING
TIMEOUT: CONNECTING, CONNECTED, QOS_ACK_REMOTE, QOS_NACK_REMOTE, POLL, TIMEOUT, DISCONNECTED, UNREACHABLE, DESTROYING
SERVER_TXN: DISCONNECTED, TIMEOUT, SERVER_TXN, DESTROYING
SERVER_UPGRADE: SERVER_UPGRADE, SERVER_TXN, TIMEOUT, DISCONNECTED, DESTROYING
`

// referencePairs are its pairs, by short names.
var referencePairs = func() map[[2]string]bool {
	pairs := make(map[[2]string]bool)
	for line := range strings.Lines(referenceTable) {
		from, list, ok := strings.Cut(strings.TrimSpace(line), ":")
		for _, to := range strings.Split(list, ",") {
			if to = strings.TrimSpace(to); ok && to != "" {
				pairs[[2]string{from, to}] = true
			}
		}
	}
	return pairs
}()

// referenceAllows reports whether the reference lets next follow prev. User states, EVENT_WAIT_CANCELLED and
// UPSTREAM_LINK_RETRY it always lets through.
func referenceAllows(prev, next ss.State) bool {
	if next >= ss.UserBase || next == ss.EventWaitCancel || next == ss.UpstreamLinkRetry {
		return true
	}
	return referencePairs[[2]string{short(prev), short(next)}]
}

// TestReferenceTable: the package's copy and the one above are the same.
func TestReferenceTable(t *testing.T) {
	if len(referencePairs) != 90 {
		t.Errorf("pairs: got %d, want 90", len(referencePairs))
	}
	for prev := ss.State(0); prev <= ss.SinkPart; prev++ {
		for next := ss.State(0); next <= ss.SinkPart; next++ {
			if got, want := ss.LegalInReference(prev, next), referenceAllows(prev, next); got != want {
				t.Errorf("%v after %v: the package says %v, the reference %v", next, prev, got, want)
			}
		}
	}
}
