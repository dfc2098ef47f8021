package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/policy"
)

var fetchCommand = command{
	name: "fetch", args: "(--policy FILE --stream NAME | URL...) [flags]",
	brief: "run one client stream: payload to standard output, result as exit status",
	help: `
Creates one stream of the stream type NAME of the policy, sends it the metadata and payload of the command
line, and writes the received payload to standard output. With a URL it uses a built-in policy with the metadata host,
port and path; further metadata are mime, accept, agent and auth, and for WebSockets origin, agent and auth. The payload
of several URLs is written in the order given; URLs of one server share a connection; the exit status is the first that
is not 0.

An https or wss server is verified with the operating system's trust store, or with a URL by the certificates in the
file of --ca; a policy has "tls_trust_store" for this. -v shows the negotiated TLS parameters and the protocol.

With --http2 a URL is fetched over HTTP/2: https if the server agrees (ALPN), otherwise over HTTP/1.1; http always,
with prior knowledge, so that a server without HTTP/2 is unreachable. --http2-prior-knowledge is the same. A policy has
"protocol": "h2", or "ws_over_h2" for a WebSocket.

An HTTP stream ends with its transaction; a raw stream ends when the peer closes, or with --bytes or --send. The policy
defines the retries; payload that was written before a failure stays written.

A WebSocket, with a ws or wss URL or by a policy, sends each line of standard input as a message, without its line end;
- or --data - selects this explicitly. At the end of the input it sends Close with code 1000, and prints messages until
the peer has answered; with --no-close it continues until the peer closes. With --data TEXT, @FILE, or @- for all of standard
input, it sends one message, and ends with the first answer. --bytes or --send end both sooner.

Received messages are printed at once, one per line: text unchanged, binary in hexadecimal. With --raw, or --bytes, payload is
written unchanged, without line ends. Sent messages are text, and must be UTF-8; --binary, or "ws_binary" in a policy, sends
binary messages. Messages are sent and received in pieces, and may have any length.

A WebSocket whose peer closes with 1000, 1001 or no code ends with status 0. Another code is a failure, reported with
its reason; so is the refusal of a server to switch protocols, reported with its HTTP status. -v shows the status of the
switch, the subprotocol, and the close code.

--data sets the payload: TEXT, @FILE, or @- for standard input, which cannot be repeated on a retry. The built-in policy does
not retry a POST that the server may have processed; a policy has "http_retry_unsafe" for this.

Proxies are not implemented yet. Streams over TCP are refused, and do not connect directly, if the environment has socks_proxy,
http_proxy (clear text) or https_proxy (TLS), or if the policy has "via-socks5". no_proxy lists hosts without a proxy, separated
by commas: names, which include all names below them, addresses, or * for all. "via-socks5": "none" exempts a stream type from
SOCKS5.

-o FILE writes a temporary file next to FILE, and renames it to FILE when the exit status is 0. After a failure FILE is unchanged,
and FILE.part has the bytes that arrived. Without -o fetch ends with status 4 when the reader of standard output is gone.

Values of the device: --blob sets a system blob of the policy, such as the token of "http_auth_header". --client-cert and
--client-key are presented to a TLS server that requests a certificate; with --policy "client_cert" is their index, from 0.
--cookies stores the cookies of servers in a file, cookies.txt, without session cookies; with --policy the stream type needs
"http_cookies".

examples:
  millrace fetch http://127.0.0.1:8080/
  millrace fetch http://127.0.0.1:8080/upload --data @photo.jpg -m mime=image/jpeg -o answer.json
  millrace fetch https://localhost:8443/ --ca lab/ca.pem -v
  millrace fetch https://localhost:8443/ --ca lab/ca.pem --client-cert lab/cert.pem --client-key lab/key.pem
  millrace fetch https://example.org/news --cookies cookies.txt -o news.html
  millrace fetch --policy policy.json --stream report --blob AUTH=@token
  millrace fetch --http2 http://127.0.0.1:8080/a http://127.0.0.1:8080/b
  millrace fetch --policy policy.json --stream report -m device=17 --data '{"on": true}' -v
  millrace fetch wss://localhost:8443/chat --ca lab/ca.pem --subprotocol chat -v
  millrace fetch ws://127.0.0.1:8080/ --data hello
  tail -f log | millrace fetch --http2 ws://127.0.0.1:8080/log -
  tar c . | millrace fetch --policy policy.json --stream backup --data @-
  millrace fetch --policy policy.json --stream tcp_echo --data hello --bytes 5`,
	run: runFetch,
}

// metadata are the values of -m, in order.
type metadata []struct{ name, value string }

// String implements flag.Value.
func (m *metadata) String() string { return "" }

// Set implements flag.Value.
func (m *metadata) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("the form is name=value")
	}
	*m = append(*m, struct{ name, value string }{name, value})
	return nil
}

// fetchFlags are the flags of fetch.
type fetchFlags struct {
	policy, stream string
	method, ca     string
	http2          bool
	subprotocol    string
	binary         bool
	metadata       metadata
	targets        []target
	mixed          bool // targets both in clear text and over TLS
	data, out      string
	hasData        bool
	bytes          int64
	sendOnly       bool
	ws             bool // the stream is a WebSocket
	lines          bool // its messages are the lines of standard input
	noClose        bool
	raw            bool
	timeout        time.Duration
	verbose        bool
	device         deviceFlags
	socks          string // SOCKS5 proxy of the environment, "" for none
}

func runFetch(a *app, c *command, args []string) int {
	var o fetchFlags
	f := a.flags(c)
	f.StringVar(&o.policy, "policy", "", "policy `file`")
	f.StringVar(&o.stream, "stream", "", "`name` of the stream type")
	f.StringVar(&o.method, "X", "", "with a URL: the `method`; default GET, POST with --data")
	f.StringVar(&o.ca, "ca", "", "with an https or wss URL: trust the certificates in this PEM `file` and no others")
	f.BoolVar(&o.http2, "http2", false, "with a URL: HTTP/2, by ALPN over https and wss, and by prior knowledge over http and ws")
	f.BoolVar(&o.http2, "http2-prior-knowledge", false, "the same")
	f.Var(&o.metadata, "m", "set metadata, as in `name=value`; may be repeated")
	f.StringVar(&o.data, "data", "", "`payload` to send: text, @file, or @- for standard input")
	f.StringVar(&o.out, "o", "", "write the payload to this `file` instead of standard output, if the exit status is 0")
	f.StringVar(&o.subprotocol, "subprotocol", "", "with a ws URL: request one of these subprotocols, `names` separated by commas")
	f.BoolVar(&o.binary, "binary", false, "with a ws URL: send binary messages")
	f.BoolVar(&o.raw, "raw", false, "ws: write payload unchanged, not as lines")
	f.BoolVar(&o.noClose, "no-close", false, "ws: continue after the end of standard input")
	f.Int64Var(&o.bytes, "bytes", 0, "raw and ws: end after this many bytes of payload")
	f.BoolVar(&o.sendOnly, "send", false, "raw and ws: end when the payload is sent")
	o.device.blobFlag(f)
	f.Func("client-cert", "present the certificate in this PEM `file`, followed by its chain, to a TLS server that requests one;\n"+
		"may be repeated: the policy's client_cert is the index", fileList(&o.device.certs))
	f.Func("client-key", "the certificate's key, a PEM `file`", fileList(&o.device.keys))
	f.StringVar(&o.device.cookies, "cookies", "", "send the cookies in this `file`, cookies.txt, and store those that servers set")
	f.DurationVar(&o.timeout, "timeout", 0, "end after this time, retries included; default the policy's timeout_ms, no limit with a URL")
	f.BoolVar(&o.verbose, "v", false, "log the states of the stream")
	rest, status, ok := a.parse(c, f, args, len(args))
	if !ok {
		return status
	}
	f.Visit(func(x *flag.Flag) { o.hasData = o.hasData || x.Name == "data" })
	p, err := o.resolve(rest)
	if err == nil {
		err = o.checkWS(p)
	}
	var d device
	if err == nil {
		o.socks, err = o.checkProxies(p)
	}
	if err == nil {
		d, err = o.device.open()
	}
	if err == nil {
		if s := p.Stream(o.stream); s != nil && !s.Server {
			err = o.device.checkFor(s)
		}
	}
	if err != nil {
		return a.fail(statusOf(err), "fetch: %v", err)
	}
	for i := range o.targets {
		up, err := openUpload(a.in, &o)
		if err != nil {
			return a.fail(exitLocal, "fetch: %v", err)
		}
		defer up.close()
		o.targets[i].up = up
		s := p.Stream(o.stream)
		switch {
		case up.size >= 0:
		case s != nil && transactional(s) && !takesUnknown(s.HTTP.Method):
			return a.fail(exitUsage, "fetch: %s cannot send payload of unknown length: put it into a file", s.HTTP.Method)
		case len(o.targets) > 1:
			return a.fail(exitUsage, "fetch: payload that can be read only once cannot be sent to several URLs: put it into a file")
		}
	}
	if o.out == "" {
		return a.fetch(p, &o, d, a.out)
	}
	file, err := createOut(o.out)
	if err != nil {
		return a.fail(exitLocal, "fetch: %v", err)
	}
	status = a.fetch(p, &o, d, file)
	kept, err := file.finish(status == exitOK)
	if err != nil {
		status = a.fail(max(status, exitLocal), "fetch: %v", err)
	}
	if kept != "" {
		a.fail(status, "fetch: the received payload is in %s", kept)
	}
	return status
}

// fileList returns the function of a flag that may be repeated, with a file each time.
func fileList(list *[]string) func(string) error {
	return func(name string) error { *list = append(*list, name); return nil }
}

// takesUnknown reports whether a request with this method sends a body of unknown length.
func takesUnknown(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}

// resolve returns the policy, and sets the stream type and the targets.
func (o *fetchFlags) resolve(rest []string) (*policy.Policy, error) {
	switch {
	case o.bytes < 0:
		return nil, errors.New("--bytes is a number of bytes, at least 1")
	case slices.Contains(rest, "-"):
		if o.hasData && o.data != "-" {
			return nil, errors.New("- sends the lines of standard input as messages, --data sends one message: use one of them")
		}
		o.lines = true
		return o.resolve(slices.DeleteFunc(rest, func(s string) bool { return s == "-" }))
	case len(rest) > 0:
		return o.fromURLs(rest)
	case o.policy == "" || o.stream == "":
		return nil, errors.New("--policy and --stream are needed, or a URL; see `millrace help fetch`")
	case o.method != "":
		return nil, errors.New("-X needs a URL: in a policy the method is the stream type's \"http_method\"")
	case o.ca != "":
		return nil, errors.New("--ca needs a URL: in a policy the trust store is the stream type's \"tls_trust_store\"")
	case o.http2:
		return nil, errors.New("--http2 needs a URL: in a policy the protocol is the stream type's \"protocol\"")
	case o.subprotocol != "":
		return nil, errors.New("--subprotocol needs a URL: in a policy it is the stream type's \"ws_subprotocol\"")
	case o.binary:
		return nil, errors.New("--binary needs a URL: in a policy it is the stream type's \"ws_binary\"")
	}
	o.targets = []target{{metadata: o.metadata}}
	return readPolicy(o.policy)
}

// checkWS sets the flags of WebSockets, and returns an error for those that other streams do not have.
func (o *fetchFlags) checkWS(p *policy.Policy) error {
	if s := p.Stream(o.stream); s != nil {
		o.ws = s.Protocol == policy.WS
	}
	switch {
	case o.ws:
		if !o.hasData || o.data == "-" {
			o.lines, o.hasData = true, false
		}
		o.raw = o.raw || o.bytes > 0
	case o.lines:
		return errors.New("- is for WebSockets: use --data @- to send standard input on other streams")
	case o.raw || o.noClose:
		return errors.New("--raw and --no-close are for WebSockets")
	}
	return nil
}

const (
	// fetchGrace is for a raw peer that does not close although it has sent everything.
	fetchGrace = time.Second
	// sendGrace is for a peer that has not received all payload yet. It is longer than wsi.Timeouts.Linger.
	sendGrace = 6 * time.Second
)

// fetch runs the streams to their end.
func (a *app) fetch(p *policy.Policy, o *fetchFlags, d device, out io.Writer) int {
	var h *runner
	ho := runnerOptions{policy: p, level: slog.LevelWarn, grace: fetchGrace, socks: o.socks, device: d}
	ho.h1, ho.h2 = o.clientLimits()
	if o.sendOnly {
		ho.grace = sendGrace
	}
	if o.verbose {
		ho.level = slog.LevelInfo
		ho.observe = logStates(func() *slog.Logger { return h.log })
	}
	h, err := a.open(ho)
	if err != nil {
		return a.fail(exitLocal, "fetch: %v", err)
	}
	defer h.close()
	q := newFetches(h, o, newDownload(out, h.post))
	if err := q.start(); err != nil {
		q.out.finish()
		return a.fail(exitUsage, "fetch: %v", err)
	}
	stop := watchHangup(out, func() { q.out.fail(errHungUp) })
	err = h.run(context.Background())
	stop()
	if wrong := q.out.finish(); wrong != nil {
		return a.fail(exitLocal, "fetch: write: %v", wrong)
	}
	if err != nil {
		return a.fail(exitLocal, "fetch: %v", err)
	}
	status := exitOK
	for _, f := range q.list {
		if s := a.report(f); status == exitOK {
			status = s
		}
	}
	if h.interrupted && status == exitOK && len(q.list) < len(o.targets) {
		return a.fail(exitLocal, "fetch: %s: interrupted", o.targets[len(q.list)].url)
	}
	if err := d.failed(); err != nil && status == exitOK {
		return a.fail(exitLocal, "fetch: %v", err)
	}
	return status
}

// report prints the error of a fetch, if any, and returns the exit status.
func (a *app) report(f *fetcher) int {
	at := ""
	if f.at.url != "" && len(f.o.targets) > 1 {
		at = f.at.url + ": "
	}
	switch {
	case (f.verdict == verdictNone || f.verdict == verdictCut) && f.runner.interrupted:
		return a.fail(exitLocal, "fetch: %sinterrupted", at)
	case f.why != nil:
		return a.fail(f.verdict.status(), "fetch: %s%s: %v", at, f.verdict, f.why)
	case f.verdict != verdictDone:
		return a.fail(f.verdict.status(), "fetch: %s%s", at, f.verdict)
	}
	return exitOK
}
