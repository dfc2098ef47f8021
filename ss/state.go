package ss

// State is a state or event that a stream receives. Numbers and names are libwebsockets', for operators who compare
// logs. Some states are moves of the stream's life, the others are events that change nothing in it: see Transitions.
type State uint32

// The states and events.
const (
	Creating          State = 1  // the stream object exists; always first
	Disconnected      State = 2  // the connection that was Connected is over
	Unreachable       State = 3  // an attempt failed; ordinal: 1 when no DNS server answered, else 0
	AuthFailed        State = 4  // the peer did not accept our credentials
	Connected         State = 5  // payload can flow; on HTTP clients: the response has begun
	Connecting        State = 6  // an attempt starts, or continues with its body to be sent again (Notice.Again)
	Destroying        State = 7  // the handle is about to be destroyed; always last
	Poll              State = 8  // event: an attempt is about to start for RequestTx, or after a delay
	AllRetriesFailed  State = 9  // no more attempts until the program asks
	QOSAckRemote      State = 10 // event: the peer accepted the transaction
	QOSNackRemote     State = 11 // event: the peer refused the transaction; ordinal: the HTTP status
	QOSAckLocal       State = 12 // event: a proxy accepted it
	QOSNackLocal      State = 13 // event: a proxy refused it
	Timeout           State = 14 // event: the time passed to StartTimeout is over
	ServerTxn         State = 15 // event: an accepted stream has a request to answer
	ServerUpgrade     State = 16 // event: an accepted stream changed from http to ws
	EventWaitCancel   State = 17 // event: Runtime.CancelWait was called
	UpstreamLinkRetry State = 18 // event: the link to the proxy is not up; ordinal: ms spent trying
	SinkJoin          State = 19 // event: a source joined the sink; ordinal: how many had joined before
	SinkPart          State = 20 // event: a source left the sink
	UserBase          State = 1000
	// PeerEnded is an event of Millrace's own: the client of an accepted HTTP stream has ended its direction before
	// it got the response. It may wait for the response, or be gone: DISCONNECTED and DESTROYING follow if nothing is
	// sent for the role's Timeouts.HalfClosed, or if sending fails. For libwebsockets' table it is a user state,
	// legal at any time; http_resp_map cannot use a number so high.
	PeerEnded State = 1 << 16
)

var stateNames = [...]string{
	"(unset)",
	"LWSSSCS_CREATING",
	"LWSSSCS_DISCONNECTED",
	"LWSSSCS_UNREACHABLE",
	"LWSSSCS_AUTH_FAILED",
	"LWSSSCS_CONNECTED",
	"LWSSSCS_CONNECTING",
	"LWSSSCS_DESTROYING",
	"LWSSSCS_POLL",
	"LWSSSCS_ALL_RETRIES_FAILED",
	"LWSSSCS_QOS_ACK_REMOTE",
	"LWSSSCS_QOS_NACK_REMOTE",
	"LWSSSCS_QOS_ACK_LOCAL",
	"LWSSSCS_QOS_NACK_LOCAL",
	"LWSSSCS_TIMEOUT",
	"LWSSSCS_SERVER_TXN",
	"LWSSSCS_SERVER_UPGRADE",
	"LWSSSCS_EVENT_WAIT_CANCELLED",
	"LWSSSCS_UPSTREAM_LINK_RETRY",
	"LWSSSCS_SINK_JOIN",
	"LWSSSCS_SINK_PART",
}

// String returns libwebsockets' name, MILLRACE_PEER_ENDED for PeerEnded, "user state" from UserBase on, and "unknown"
// otherwise.
func (s State) String() string {
	switch {
	case int(s) < len(stateNames):
		return stateNames[s]
	case s == PeerEnded:
		return "MILLRACE_PEER_ENDED"
	case s >= UserBase:
		return "user state"
	}
	return "unknown"
}

// Ret is the return code of a callback, and of calls whose result a callback may return.
type Ret int8

// The return codes.
const (
	OK           Ret = 0
	TxDontSend   Ret = 1  // Tx: nothing to send this time; elsewhere the same as OK
	DisconnectMe Ret = -1 // close the connection, keep the stream
	DestroyMe    Ret = -2 // close the connection and end the stream
	// Destroyed reports that the stream was destroyed in the meantime. libwebsockets' documentation names it, its
	// headers do not; here it means the same as DestroyMe.
	Destroyed Ret = -3
)

// String returns libwebsockets' name.
func (r Ret) String() string {
	switch r {
	case OK:
		return "LWSSSSRET_OK"
	case TxDontSend:
		return "LWSSSSRET_TX_DONT_SEND"
	case DisconnectMe:
		return "LWSSSSRET_DISCONNECT_ME"
	case DestroyMe:
		return "LWSSSSRET_DESTROY_ME"
	case Destroyed:
		return "LWSSSSRET_SS_HANDLE_DESTROYED"
	}
	return "unknown"
}

// Flags describe a piece of payload.
type Flags uint32

// The payload flags, with libwebsockets' values.
const (
	SOM          Flags = 1 << iota // first piece of a message; for a part of a multipart body the piece is empty
	EOM                            // last piece of a message, may be empty; on raw streams, with an empty Rx: the peer has ended its direction
	FlagPoll                       // not payload: a poll for something to receive
	RelatedStart                   // empty: start of a group of related messages, the parts of a multipart body
	RelatedEnd                     // empty: end of the group; set together with the EOM of the last message, if any
	Rideshare                      // the piece belongs to a rideshare stream type
	PerfJSON                       // not payload: measurements of the connection, as JSON
	// Binary and Text are the type of a WebSocket message. libwebsockets does not report it, so these are our own: Rx
	// has one of them with every piece, and Tx may set one with SOM to override the policy's ws_binary.
	Binary
	Text
)
