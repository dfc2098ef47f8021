package policy

import (
	"fmt"
	"strings"
)

// Protocol is the wire protocol of a stream type. The numbers are the reference implementation's.
type Protocol uint8

// The protocols a policy can name. H3 is known by name only: Parse refuses it.
const (
	H1 Protocol = iota
	H2
	H3
	WS
	MQTT
	Raw
)

var protocolNames = [...]string{H1: "h1", H2: "h2", H3: "h3", WS: "ws", MQTT: "mqtt", Raw: "raw"}

// String returns the name as in policies: "h1", "h2", "h3", "ws", "mqtt" or "raw".
func (p Protocol) String() string {
	if int(p) < len(protocolNames) {
		return protocolNames[p]
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}

// protocols is a set of protocols, a bit each; the empty set means all of them.
type protocols uint8

// httpServers is the bit for h1 and h2 servers.
const httpServers protocols = 1 << 7

const (
	onHTTP  = protocols(1<<H1 | 1<<H2)
	onWS    = protocols(1 << WS)
	onWeb   = onHTTP | onWS
	onMQTT  = protocols(1 << MQTT)
	onMixed = onWS | httpServers
)

func (p protocols) String() string {
	if p == 0 {
		return "all"
	}
	var names []string
	for i, name := range protocolNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if p&httpServers != 0 {
		names = append(names, "h1 and h2 servers")
	}
	return strings.Join(names, ", ")
}
