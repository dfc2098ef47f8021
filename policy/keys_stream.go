package policy

import (
	"strings"
	"time"
)

// The keys of a stream type that do not belong to one protocol. keys_http.go and keys_other.go hold the rest.

var streamKeys = newTable("s", commonKeys, httpKeys, wsKeys, mqttKeys, tlsKeys, proxyKeys)

var commonKeys = []row[Stream]{
	{key{name: "endpoint", kind: kindTemplate, form: endpointForm, proof: "ss.TestEndpointFromMetadata", def: "none",
		text: "Client: host, URL, or +path or +@name for a Unix socket. Server: interface or address to bind, or Unix socket. See Endpoints below."},
		template(func(s *Stream) *Template { return &s.Endpoint })},
	{key{name: "port", kind: kindInt, max: 65535, proof: "ss.TestRawBothWays", def: "none",
		text: "Port to connect to or to listen on; on a server 0 lets the system pick one. 443 without TLS is refused, unless \"tls\": false states that clear text is intended."},
		func(_ *checker, s *Stream, v value) { s.Port, s.HasPort = uint16(v.num), true }},
	{key{name: "protocol", values: []string{"h1", "h2", "ws", "mqtt", "raw", protocolH1Get}, proof: "ss.TestRequestOnTheWire", def: "h1",
		denied: deniedProtocols,
		text: "Wire protocol. mqtt is read and checked, but not implemented yet: streams of it are refused when they are created. h2 is agreed on by ALPN over TLS, where http/1.1 will do, and spoken by prior knowledge in clear; " +
			"clients of h2 share connections. h1get is an old spelling of h1 with http_method GET."},
		func(c *checker, s *Stream, v value) { c.protocol(s, v.text) }},
	{key{name: "server", kind: kindBool, proof: "ss.TestServerAnswers", def: "false",
		text: "The stream type listens instead of connecting."},
		boolean(func(s *Stream) *bool { return &s.Server })},
	{key{name: "opportunistic", kind: kindBool, side: clientSide, proof: "ss.TestReconnectKeys", def: "false",
		text: "The connection may stay down while no stream uses it."},
		boolean(func(s *Stream) *bool { return &s.Opportunistic })},
	{key{name: "nailed_up", kind: kindBool, side: clientSide, proof: "ss.TestReconnectKeys", def: "false",
		text: "Connect when the stream is created, and again after every loss, but for a request that must not be repeated: see http_retry_unsafe. Overrides opportunistic."},
		boolean(func(s *Stream) *bool { return &s.NailedUp })},
	{key{name: "retry", kind: kindName, target: "retry", proof: "ss.TestDelays", def: "3000 ms, 30 %, conceal 0",
		text: "Retry scheme."},
		func(c *checker, s *Stream, v value) {
			if r := resolve(c, &c.retries, "retry scheme", "retry", v.text); r != nil {
				s.Retry = r
			}
		}},
	{key{name: "timeout_ms", kind: kindInt, max: maxTimeout, unit: "ms", proof: "ss.TestTimeout", def: "none",
		text: "What a timeout started without a length of its own waits."},
		func(_ *checker, s *Stream, v value) {
			s.Timeout, s.HasTimeout = time.Duration(v.num)*time.Millisecond, true
		}},
	{key{name: "metadata", kind: kindPairs, max: maxMetadata, proof: "ss.TestRequestMetadata", def: "none",
		text: "Names whose values a program sets or reads at run time: {name: header field}, or {name: \"\"} when it is only for ${name}."},
		func(c *checker, s *Stream, v value) { c.metadata(s, v.json) }},
	{key{name: "payload_fmt", form: textForm, proof: "ss.TestPayloadFormat", def: "none",
		text: "Handed back to the creator of a stream, not interpreted."},
		text(func(s *Stream) *string { return &s.PayloadFmt })},
	{key{name: "attr_priority", kind: kindInt, max: 7, proof: "ss.TestSocketAttributes", def: "0",
		text: "Priority of its packets; 7 needs privilege."},
		number(func(s *Stream) *uint8 { return &s.Attr.Priority })},
	{key{name: "attr_low_latency", kind: kindBool, proof: "ss.TestSocketAttributes", def: "false",
		text: "Packets ask for low delay (IP type of service 0x10)."},
		boolean(func(s *Stream) *bool { return &s.Attr.LowLatency })},
	{key{name: "attr_high_throughput", kind: kindBool, proof: "ss.TestSocketAttributes", def: "false",
		text: "Packets ask for high throughput (0x08)."},
		boolean(func(s *Stream) *bool { return &s.Attr.HighThroughput })},
	{key{name: "attr_high_reliability", kind: kindBool, proof: "ss.TestSocketAttributes", def: "false",
		text: "Packets ask for high reliability (0x04)."},
		boolean(func(s *Stream) *bool { return &s.Attr.HighReliability })},
	{key{name: "attr_low_cost", kind: kindBool, proof: "ss.TestSocketAttributes", def: "false",
		text: "Packets ask for the cheapest way: DSCP CS1, type of service 0x20, since Linux strips RFC 1349's bit 0x02 from TCP."},
		boolean(func(s *Stream) *bool { return &s.Attr.LowCost })},
	{key{name: "perf", kind: kindBool, side: clientSide, proof: "ss.TestPerf", def: "false",
		text: "Deliver measurements of each new connection as JSON, with a flag that marks them: with the first response before CONNECTED (raw: at once), or before UNREACHABLE. Alike on h1 and h2, where the stream that a connection is made for gets them."},
		boolean(func(s *Stream) *bool { return &s.Perf })},
	{key{name: "urgent_tx", kind: kindBool, def: "false",
		text: "What the stream sends is urgent."},
		boolean(func(s *Stream) *bool { return &s.UrgentTx })},
	{key{name: "urgent_rx", kind: kindBool, def: "false",
		text: "What the stream receives is urgent."},
		boolean(func(s *Stream) *bool { return &s.UrgentRx })},
	{key{name: "swake_validity", kind: kindBool, def: "false",
		text: "Validity checks of this stream may wake a suspended system. Not implemented yet: they have ordinary timers, and a warning is logged when the first stream of the type is created."},
		boolean(func(s *Stream) *bool { return &s.ValidityWakes })},
	{key{name: "local_sink", kind: kindBool, side: clientSide, refused: true, def: "false",
		text: "Not in the specification: streams of this type are refused when they are created."},
		boolean(func(s *Stream) *bool { return &s.LocalSink })},
	{key{name: "via-socks5", alias: []string{"via_socks5"}, form: socksOrNoneForm, side: clientSide, refused: true, def: "the document's",
		text: "SOCKS5 proxy for this stream type alone; \"none\" for none, also if the document or socks_proxy names one. SOCKS5 is not implemented yet: streams that need it are refused when they are created, so that none goes out directly. Unix sockets need none."},
		text(func(s *Stream) *string { return &s.ViaSocks5 })},
	{key{name: "use_auth", kind: kindName, target: "auth", side: clientSide, refused: true, def: "none",
		text: "How the stream authenticates. Not implemented yet: streams of this type are refused when they are created, so that none goes out unsigned."},
		func(c *checker, s *Stream, v value) {
			s.Auth = resolve(c, &c.auths, "auth scheme", "auth", v.text)
		}},
	{key{name: "options", kind: kindPairs, max: maxOptions, side: serverSide, def: "none",
		text: "Names and values handed to the handlers of the server."},
		func(c *checker, s *Stream, v value) { c.options(s, v.json) }},
	{key{name: "plugins", kind: kindIgnored, ignored: true, def: "none",
		text: "Means nothing any more; accepted because old documents have it."},
		discard[Stream]},
}

// deniedProtocols are common wrong values of protocol: names of URL schemes, which also state whether TLS
// is used, and names from elsewhere.
var deniedProtocols = map[string]denial{
	"h3":        {"h3 is not supported", "use one of h1, h2, ws, mqtt, raw"},
	"http":      {`"http" is a scheme, not a protocol`, `use "h1" or "h2"`},
	"https":     {`"https" is a scheme, not a protocol: by itself it would not bring TLS`, `use "h1" or "h2", with "tls": true`},
	"wss":       {`"wss" is a scheme, not a protocol: by itself it would not bring TLS`, `use "ws" with "tls": true`},
	"mqtts":     {`"mqtts" is a scheme, not a protocol: by itself it would not bring TLS`, `use "mqtt" with "tls": true`},
	"tls":       {`"tls" is not a protocol`, `use "raw" with "tls": true`},
	"ssl":       {`"ssl" is not a protocol`, `use "raw" with "tls": true`},
	"tcp":       {`"tcp" is not a protocol`, `use "raw"`},
	"websocket": {`"websocket" is called "ws" here`, `use "ws", over TLS with "tls": true`},
	"http/1.1":  {`"http/1.1" is called "h1" here`, `use "h1"`},
	"http/2":    {`"http/2" is called "h2" here`, `use "h2"`},
	"h2c":       {`"h2c" is called "h2" here`, `use "h2" without "tls"`},
}

// protocolH1Get is the specification's example for protocol, from before http_method existed.
const protocolH1Get = "h1get"

const (
	// maxTimeout is what 32 bits of milliseconds hold, the reference's range: 49 days.
	maxTimeout = 1<<32 - 1

	// maxMetadata bounds the symbols of a stream type. They are searched one by one, and real ones have a
	// handful.
	maxMetadata = 64

	// maxOptions bounds the options of a server in the same way.
	maxOptions = 64
)

// maxServerCerts bounds the certificates of one listener in a policy. Who serves more names sets them in the
// program.
const maxServerCerts = 32

var tlsKeys = []row[Stream]{
	{key{name: "tls", kind: kindBool, proof: "ss.TestStreamsOverTLS", def: "false",
		text: "The connection is encrypted: TLS 1.2 at the least."},
		boolean(func(s *Stream) *bool { return &s.TLS })},
	{key{name: "tls_trust_store", kind: kindName, target: "trust_stores", proof: "ss.TestTLSRefusals", def: "the system's roots",
		text: "Certificates that may vouch for the peer; without TLS the key is an error. On a server: clients must show a certificate that these vouch for; without the key none is asked for."},
		func(c *checker, s *Stream, v value) {
			s.TrustStore = resolve(c, &c.stores, "trust store", "trust_stores", v.text)
		}},
	{key{name: "tls_min_version", form: versionForm, proof: "ss.TestLeastVersion", def: "1.2",
		text: "Least TLS version that is taken."},
		text(func(s *Stream) *string { return &s.TLSMinVersion })},
	{key{name: "tls_groups", form: groupsForm, proof: "ss.TestTLSDemands", def: "X25519MLKEM768 first, then what crypto/tls takes",
		text: "Key exchanges that are taken, best first, with a colon between them. Naming them switches off the smaller offer that follows when a server stays silent."},
		func(_ *checker, s *Stream, v value) { s.TLSGroups = strings.Split(v.text, ":") }},
	{key{name: "client_cert", alias: []string{"client cert"}, kind: kindInt, max: 254, side: clientSide, proof: "ss.TestClientCertificate", def: "none",
		text: "Index of the client certificate to show to the server: of the program's, and beyond those of the system blobs CLIENT_CERT_DER and CLIENT_KEY_DER."},
		func(_ *checker, s *Stream, v value) { s.ClientCert, s.HasClientCert = uint8(v.num), true }},
	{key{name: "server_cert", kind: kindRefs, target: "certs", min: 1, max: maxServerCerts, side: serverSide, proof: "ss.TestSeveralCertificates", def: "none",
		text: "Certificate of the server, followed by its chain if the entry has one. Of several, the one for the name that a client asks for is used; the first is for other names."},
		func(c *checker, s *Stream, v value) { s.ServerCerts = c.certRefs(v.json) }},
	{key{name: "server_key", kind: kindRefs, target: "certs", min: 1, max: maxServerCerts, side: serverSide, proof: "ss.TestSeveralCertificates", def: "none",
		text: "Private key of the server. With several certificates, an array of as many keys in the same order."},
		func(c *checker, s *Stream, v value) { s.ServerKeys = c.certRefs(v.json) }},
}

var proxyKeys = []row[Stream]{
	{key{name: "proxy_buflen", kind: kindInt, max: maxBuflen, unit: "bytes", def: "32768",
		text: "Payload the proxy may hold for the stream."},
		number(func(s *Stream) *uint32 { return &s.Proxy.Buflen })},
	{key{name: "proxy_buflen_rxflow_on_above", kind: kindInt, max: maxBuflen, unit: "bytes", def: "0, never",
		text: "The proxy stops reading from the peer when it holds more than this."},
		number(func(s *Stream) *uint32 { return &s.Proxy.RxflowOnAbove })},
	{key{name: "proxy_buflen_rxflow_off_below", kind: kindInt, max: maxBuflen, unit: "bytes", def: "0",
		text: "And reads again when it holds less than this."},
		number(func(s *Stream) *uint32 { return &s.Proxy.RxflowOffBelow })},
	{key{name: "client_buflen", kind: kindInt, max: maxBuflen, unit: "bytes", def: "32768",
		text: "Payload the client of a proxy may hold for the stream."},
		number(func(s *Stream) *uint32 { return &s.Proxy.ClientBuflen })},
	{key{name: "client_buflen_rxflow_on_above", kind: kindInt, max: maxBuflen, unit: "bytes", def: "0, never",
		text: "The client asks the proxy to stop when it holds more than this."},
		number(func(s *Stream) *uint32 { return &s.Proxy.ClientRxflowOn })},
	{key{name: "client_buflen_rxflow_off_below", kind: kindInt, max: maxBuflen, unit: "bytes", def: "0",
		text: "And to go on when it holds less than this."},
		number(func(s *Stream) *uint32 { return &s.Proxy.ClientRxflowOff })},
}

// maxBuflen is the most a policy may ask a proxy to hold for one stream, 64 MiB.
const maxBuflen = 64 << 20
