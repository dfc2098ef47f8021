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
	brief: "run one client stream: payload to standard output, verdict as exit status",
	help: `
Makes one stream of the stream type NAME of the policy, gives it the metadata and payload of the command
line, and writes the payload that comes back to standard output. With a URL a built-in policy is used
whose host, port and path are metadata; it knows further metadata: mime, accept, agent, auth, and of WebSockets origin,
agent, auth. Several URLs are written one behind the other in the order given, and share a connection where they name
one server; the exit status is the first that is not 0.

An https or wss server is judged by the operating system's trust store, or with a URL by the certificates in the
file of --ca; a policy says "tls_trust_store". -v shows what the handshake settled on, and the protocol.

With --http2 a URL is fetched over HTTP/2: https if the server agrees to it (ALPN), else over HTTP/1.1; http always,
by prior knowledge, so that a server without HTTP/2 is unreachable. --http2-prior-knowledge is the same. A policy says
"protocol": "h2", or "ws_over_h2" of a WebSocket.

An HTTP stream ends with its transaction, and a raw one when the peer closes, or with --bytes or --send. Retries
are the policy's business; payload that came before a failure is not taken back.

A WebSocket, of a URL with ws or wss or of a policy, sends each line of standard input as a message, without its line end;
- or --data - says so in so many words. At the end of the input it says goodbye, code 1000, and prints what comes until
the peer has answered; with --no-close it goes on until the peer closes. With --data TEXT, @FILE, or @- for all of standard
input, it sends one message, and ends with the first that answers it. Both can end sooner, with --bytes or --send.

What comes is printed at once, a message a line: text as it is, binary in hexadecimal. With --raw, or --bytes, payload is
written as it is, without line ends. What goes out is text, and must be UTF-8; --binary, in a policy "ws_binary", sends
binary messages. Messages pass in pieces, both ways, whatever their length.

A peer that closes with 1000, 1001 or no code ends a WebSocket with status 0. Another code is a failure that is told with
its reason, and a server's refusal to switch one that is told with its HTTP status. -v shows that of a switch, the
subprotocol, and how it was closed.

--data gives payload: TEXT, @FILE, or @- for standard input, which cannot be repeated on a retry. A POST that the server may
have acted on is not retried by the built-in policy; a policy says "http_retry_unsafe".

Proxies are not built yet. With socks_proxy in the environment or "via-socks5" in the policy, http_proxy for what goes out in
clear, or https_proxy for TLS, streams over TCP are refused and do not go out directly. no_proxy exempts hosts from those of the
environment: names, which include all names below them, or addresses, with commas between, or * for all. "via-socks5": "none"
exempts a stream type from SOCKS5.

-o FILE writes beside FILE, and puts the payload in its place when the exit status is 0. After a failure FILE is as it was, and
what had come is in FILE.part. Without it fetch ends when the reader of standard output has gone, with status 4.

What belongs to the device: --blob gives the values that a policy takes from system blobs, such as the token of
"http_auth_header". --client-cert and --client-key are shown to a TLS server that asks; with --policy they are those that
"client_cert" counts, from 0. --cookies keeps the cookies of servers in a file, cookies.txt, that is replaced as a whole, but not
those that end with a session; with --policy the stream type says "http_cookies".

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

// metadata are the -m of a command line, in order.
type metadata []struct{ name, value string }

// String implements flag.Value.
func (m *metadata) String() string { return "" }

// Set implements flag.Value.
func (m *metadata) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("say name=value")
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
	mixed          bool // targets both in clear and over TLS
	data, out      string
	hasData        bool
	bytes          int64
	sendOnly       bool
	ws             bool // the stream is a WebSocket
	lines          bool // and its messages are the lines of standard input
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
	f.StringVar(&o.out, "o", "", "write the payload to this `file` instead of standard output, if all goes well")
	f.StringVar(&o.subprotocol, "subprotocol", "", "with a ws URL: ask for one of these subprotocols, `names` with commas between")
	f.BoolVar(&o.binary, "binary", false, "with a ws URL: send binary messages")
	f.BoolVar(&o.raw, "raw", false, "ws: write payload as it is, not as lines")
	f.BoolVar(&o.noClose, "no-close", false, "ws: go on at the end of standard input")
	f.Int64Var(&o.bytes, "bytes", 0, "raw and ws: end after this many bytes of payload")
	f.BoolVar(&o.sendOnly, "send", false, "raw and ws: end when the payload is sent")
	o.device.blobFlag(f)
	f.Func("client-cert", "show the certificate in this PEM `file`, its chain behind it, to a TLS server that asks for one;\n"+
		"repeated: the policy's client_cert counts them", fileList(&o.device.certs))
	f.Func("client-key", "the certificate's key, a PEM `file`", fileList(&o.device.keys))
	f.StringVar(&o.device.cookies, "cookies", "", "send the cookies in this `file`, cookies.txt, and keep there what servers set")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long, retries included; default the policy's timeout_ms, with a URL no limit")
	f.BoolVar(&o.verbose, "v", false, "log the states of the stream")
	rest, status, ok := a.parse(c, f, args, len(args))
	if !ok {
		return status
	}
	f.Visit(func(x *flag.Flag) { o.hasData = o.hasData || x.Name == "data" })
	p, err := o.resolve(rest)
	if err == nil {
		err = o.settleWS(p)
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
			return a.fail(exitUsage, "fetch: %s cannot take payload of unknown length: put it into a file", s.HTTP.Method)
		case len(o.targets) > 1:
			return a.fail(exitUsage, "fetch: what can be read only once cannot be sent to several URLs: put it into a file")
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
		a.fail(status, "fetch: what came is in %s", kept)
	}
	return status
}

// fileList is a flag that may be repeated and names a file each time.
func fileList(list *[]string) func(string) error {
	return func(name string) error { *list = append(*list, name); return nil }
}

// takesUnknown says whether a request with this method sends a body although nobody knows its length.
func takesUnknown(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}

// resolve works out which policy and which stream type are meant.
func (o *fetchFlags) resolve(rest []string) (*policy.Policy, error) {
	switch {
	case o.bytes < 0:
		return nil, errors.New("--bytes is a number of bytes, at least 1")
	case slices.Contains(rest, "-"):
		if o.hasData && o.data != "-" {
			return nil, errors.New("- is for the lines of standard input as messages, and --data for one message: say either")
		}
		o.lines = true
		return o.resolve(slices.DeleteFunc(rest, func(s string) bool { return s == "-" }))
	case len(rest) > 0:
		return o.fromURLs(rest)
	case o.policy == "" || o.stream == "":
		return nil, errors.New("--policy and --stream are needed, or a URL; see `millrace help fetch`")
	case o.method != "":
		return nil, errors.New("-X goes with a URL: in a policy the method is the stream type's \"http_method\"")
	case o.ca != "":
		return nil, errors.New("--ca goes with a URL: in a policy the trust store is the stream type's \"tls_trust_store\"")
	case o.http2:
		return nil, errors.New("--http2 goes with a URL: in a policy the protocol is the stream type's \"protocol\"")
	case o.subprotocol != "":
		return nil, errors.New("--subprotocol goes with a URL: in a policy it is the stream type's \"ws_subprotocol\"")
	case o.binary:
		return nil, errors.New("--binary goes with a URL: in a policy it is the stream type's \"ws_binary\"")
	}
	o.targets = []target{{metadata: o.metadata}}
	return readPolicy(o.policy)
}

// settleWS works out what the command line means if the stream is a WebSocket, and what it cannot mean if not.
func (o *fetchFlags) settleWS(p *policy.Policy) error {
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
		return errors.New("- is for WebSockets: for others all of standard input is --data @-")
	case o.raw || o.noClose:
		return errors.New("--raw and --no-close are for WebSockets")
	}
	return nil
}

const (
	// fetchGrace is for a raw peer that does not close although it has nothing to say any more.
	fetchGrace = time.Second
	// sendGrace is for a peer that has not taken all payload yet. It is longer than a connection lingers
	// on its own account.
	sendGrace = 6 * time.Second
)

// fetch runs the streams to their end.
func (a *app) fetch(p *policy.Policy, o *fetchFlags, d device, out io.Writer) int {
	var h *house
	ho := houseOptions{policy: p, level: slog.LevelWarn, grace: fetchGrace, socks: o.socks, device: d}
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
	if err := q.begin(); err != nil {
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

// report says what went wrong with a fetch, and returns the exit status.
func (a *app) report(f *fetcher) int {
	at := ""
	if f.at.url != "" && len(f.o.targets) > 1 {
		at = f.at.url + ": "
	}
	switch {
	case (f.verdict == verdictNone || f.verdict == verdictCut) && f.house.interrupted:
		return a.fail(exitLocal, "fetch: %sinterrupted", at)
	case f.why != nil:
		return a.fail(f.verdict.status(), "fetch: %s%s: %v", at, f.verdict, f.why)
	case f.verdict != verdictDone:
		return a.fail(f.verdict.status(), "fetch: %s%s", at, f.verdict)
	}
	return exitOK
}
