package sstest

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/ss"
)

// referenceTable is libwebsockets' table of the states that may follow a state, taken from its description and not from
// the copy in package ss. It does not tell states from events.
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

// referencePairs are the pairs of the table, by short names.
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

// ReferenceAllows reports whether libwebsockets lets the state next follow prev. It allows user states,
// EVENT_WAIT_CANCELLED and UPSTREAM_LINK_RETRY always.
func ReferenceAllows(prev, next ss.State) bool {
	if next >= ss.UserBase || next == ss.EventWaitCancel || next == ss.UpstreamLinkRetry {
		return true
	}
	return referencePairs[[2]string{Short(prev), Short(next)}]
}

// Short returns the name of a state without its prefix: "CONNECTED", or "USER(1001)" for a program's own.
func Short(s ss.State) string {
	if s >= ss.UserBase {
		return fmt.Sprintf("USER(%d)", s)
	}
	return strings.TrimPrefix(s.String(), "LWSSSCS_")
}
