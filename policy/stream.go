package policy

import "time"

// Stream is one stream type. Fields of keys that are absent from the document have the documented default; Given
// distinguishes a default from the same value in the document.
type Stream struct {
	Name     string
	Protocol Protocol
	Server   bool // listens instead of connecting

	Endpoint Template // host, URL, +unix socket; for servers the interface or address to bind; see docs/policy.md
	Port     uint16
	HasPort  bool // "port" was given: on a server 0 means that the system picks one

	Opportunistic bool   // the connection may stay down while no stream uses it
	NailedUp      bool   // connect at creation, reconnect after every loss
	Retry         *Retry // from Parse never nil: DefaultRetry when the document names none
	Timeout       time.Duration
	HasTimeout    bool // "timeout_ms" was given
	Metadata      []Metadata
	PayloadFmt    string // handed back to the creator of a stream, not interpreted
	Attr          Attr

	TLS           bool
	TrustStore    *TrustStore // nil means the system's roots
	TLSMinVersion string      // "1.2" or "1.3", "" when not given
	TLSGroups     []string    // names of key exchanges, nil when not given
	ClientCert    uint8       // index of the client certificate, meaningful when HasClientCert
	HasClientCert bool
	ServerCerts   []*Cert // what a server shows; the first is for clients that ask for no name, or an unknown one
	ServerKeys    []*Cert // as many, in the same order

	Auth       *Auth
	AWSRegion  string // name of the metadata that holds the region, "" for none
	AWSService string // name of the metadata that holds the service, "" for none

	Perf           bool   // deliver connection measurements as JSON
	UrgentTx       bool   // transmission is urgent
	UrgentRx       bool   // reception is urgent
	ValidityWakes  bool   // validity checks may wake a suspended system (swake_validity)
	LocalSink      bool   // bound to a sink in this process, never to the network
	DirectProtoStr bool   // metadata calls may name protocol headers directly
	ViaSocks5      string // SOCKS5 proxy for this stream type; "none" for none, even if the document names one
	Options        []Option

	HTTP  HTTPParams
	WS    WSParams
	MQTT  MQTTParams
	Proxy ProxyParams

	given keySet
	nth   int // index of its element of "s"
}

// Metadata is one declared symbol of a stream type. Its index in Stream.Metadata is the index that
// templates use.
type Metadata struct {
	Name   string
	Header string // header field it maps to, as written but without the trailing ':'; "" when it maps to nothing
}

// Option is a name and value handed to the handlers of a server.
type Option struct{ Name, Value string }

// Attr is how the network is asked to treat the packets of a stream.
type Attr struct {
	Priority                                             uint8 // 0 (normal) to 7 (needs privilege)
	LowLatency, HighThroughput, HighReliability, LowCost bool  // IP type of service bits (RFC 1349 s.4)
}

// HTTPParams is what h1, h2 and in part ws streams have in addition.
type HTTPParams struct {
	Method          string    // "GET" when not given
	URL             Template  // path and query; the leading '/' may be missing and is then implied
	Expect          int       // the only status that does not fail the attempt; 0 means that 200 to 299 is success and the others are a NACK
	RespMap         []RespMap // statuses that are reported as user states
	NoContentLength bool      // never send Content-Length
	FailRedirect    bool      // a redirect fails the connection (captive portals)
	AllowRedirects  bool      // follow redirects
	RetryUnsafe     bool      // the retry scheme repeats requests that are not idempotent, too (http_retry_unsafe)

	AuthHeader    string // header field for the auth token, without ':'
	AuthPreamble  string // text before the token
	AuthHexify    bool   // send the token as hexadecimal digits
	DSNHeader     string // header field for the device serial number, without ':'
	FWVHeader     string // header field for the firmware version, without ':'
	DevTypeHeader string // header field for the device type, without ':'

	Multipart            bool // any of the three fields below was given
	MultipartName        string
	MultipartFilename    string
	MultipartContentType string
	MultipartIn          bool // split incoming multipart bodies (http_multipart_ss_in)
	FormURLEncoded       bool
	Cookies              bool
	Rideshare            *Stream // stream type whose payload travels in the next part, nil for none

	// ResponseTimeout bounds the wait for a response, 0 for no bound; meaningful when HasResponseTimeout. See
	// Stream.ResponseWait.
	ResponseTimeout    time.Duration
	HasResponseTimeout bool

	LongPoll       bool // h2: the stream stays half closed and only receives
	QuirkEndStream bool // h2: the peer answers only after END_STREAM
	QuirkOverflow  bool // h2: the peer overflows its transmit credit
	LenientLF      bool // h1: lines of a response may end with LF alone
}

// RespMap reports one HTTP status as a user state.
type RespMap struct {
	Status int    // 200 to 999
	State  uint32 // 1000 to 65535
}

// WSParams is what WebSocket streams have in addition.
type WSParams struct {
	Subprotocol     string // asked for by clients, names with commas between; on an h1 or h2 server its presence enables upgrades
	Binary          bool   // messages are binary, not text
	PrioritizeReads bool   // drain input before writing
	Deflate         bool   // messages may be compressed
	OverH2          bool   // clients: over a stream of an HTTP/2 connection, where the server takes it
}

// Message is an MQTT message announced when the connection is made.
type Message struct {
	Topic, Message Template
	QoS            uint8 // 0 to 2
	Retain         bool
}

// MQTTParams is what MQTT streams have in addition.
type MQTTParams struct {
	Topic      Template // published to
	Subscribe  Template // topic filter subscribed to
	QoS        uint8    // 0 to 2, for both directions
	Retain     bool
	CleanStart bool
	KeepAlive  time.Duration // 0 switches it off
	Will       Message       // sent by the broker when the connection is lost
	Birth      Message       // sent by us when it is made
	AWSIoT     bool          // AWS IoT shadow topics
}

// ProxyParams holds the buffer sizes of a stream that a proxy fulfils, in bytes.
type ProxyParams struct {
	Buflen          uint32 // held at the proxy; 32768 when not given
	RxflowOnAbove   uint32 // the proxy stops reading above this many bytes, 0 for never
	RxflowOffBelow  uint32 // and reads again below this many
	ClientBuflen    uint32 // held at the client; 32768 when not given
	ClientRxflowOn  uint32
	ClientRxflowOff uint32
}

// defaultBuflen is the payload buffer of a proxied stream that names no other (specification, proxy_buflen).
const defaultBuflen = 32 << 10

func newStream(name string) *Stream {
	return &Stream{
		Name:  name,
		Retry: DefaultRetry,
		Proxy: ProxyParams{Buflen: defaultBuflen, ClientBuflen: defaultBuflen},
	}
}

const (
	// responseTimeout is the default time for a response: longer than a gateway waits for its server, which answers 504
	// after 30 s to 60 s.
	responseTimeout = 60 * time.Second
	// handshakeTimeout is the same for the answer to a WebSocket's handshake, for which a server has nothing to
	// compute.
	handshakeTimeout = 10 * time.Second
)

// ResponseWait returns how long a client waits for a response after its request is complete (on ws: for the answer
// to the handshake), 0 for any time: http_response_timeout_ms, or its default.
func (s *Stream) ResponseWait() time.Duration {
	switch {
	case s.HTTP.HasResponseTimeout:
		return s.HTTP.ResponseTimeout
	case s.Protocol == WS:
		return handshakeTimeout
	case s.HTTP.LongPoll:
		return 0
	}
	return responseTimeout
}

// MetadataIndex returns the index of a declared metadata name, -1 when the stream type does not declare it.
func (s *Stream) MetadataIndex(name string) int {
	for i := range s.Metadata {
		if s.Metadata[i].Name == name {
			return i
		}
	}
	return -1
}

// NeedsSocks5 reports whether streams of the type go through a SOCKS5 proxy, where others names the one that
// streams use which do not say otherwise: the document's, or the environment's; "" for none. Servers do not, nor
// streams to Unix sockets, nor those with "via-socks5": "none".
func (s *Stream) NeedsSocks5(others string) bool {
	if s.Server || s.ViaSocks5 == viaNone || EndpointFormOf(s.Endpoint.String()) == UnixEndpoint {
		return false
	}
	return s.ViaSocks5 != "" || others != ""
}

func (p protocols) has(s *Stream) bool {
	if p == 0 || p&(1<<s.Protocol) != 0 {
		return true
	}
	return p&httpServers != 0 && s.Server && onHTTP&(1<<s.Protocol) != 0
}
