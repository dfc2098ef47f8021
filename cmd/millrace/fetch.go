package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

var fetchCommand = command{
	name: "fetch", args: "(--policy FILE --stream NAME | URL) [flags]",
	brief: "run one client stream: payload to standard output, verdict as exit status",
	help: `
Makes one stream of the stream type NAME of the policy, gives it the metadata and payload of the command
line, and writes the payload that comes back to standard output. With a URL a built-in policy is used
whose endpoint and path are metadata; it knows further metadata: mime, accept, agent, auth.

An https server is judged by the operating system's trust store, or with a URL by the certificates in the
file of --ca; a policy says "tls_trust_store". -v shows what the handshake settled on.

An HTTP stream ends with its transaction. A raw one ends when the peer closes, or with --bytes or --send. Retries
are the policy's business; payload that came before a failure is not taken back.

--data gives payload: TEXT, @FILE, or @- for standard input, which cannot be repeated on a retry.

examples:
  millrace fetch http://127.0.0.1:8080/
  millrace fetch http://127.0.0.1:8080/upload --data @photo.jpg -m mime=image/jpeg -o answer.json
  millrace fetch https://localhost:8443/ --ca lab/ca.pem -v
  millrace fetch --policy policy.json --stream report -m device=17 --data '{"on": true}' -v
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
	metadata       metadata
	data, out      string
	hasData        bool
	bytes          int64
	sendOnly       bool
	timeout        time.Duration
	verbose        bool
}

func runFetch(a *app, c *command, args []string) int {
	var o fetchFlags
	f := a.flags(c)
	f.StringVar(&o.policy, "policy", "", "policy `file`")
	f.StringVar(&o.stream, "stream", "", "`name` of the stream type")
	f.StringVar(&o.method, "X", "", "with a URL: the `method`; default GET, POST with --data")
	f.StringVar(&o.ca, "ca", "", "with an https URL: trust the certificates in this PEM `file` and no others")
	f.Var(&o.metadata, "m", "set metadata, as in `name=value`; may be repeated")
	f.StringVar(&o.data, "data", "", "`payload` to send: text, @file, or @- for standard input")
	f.StringVar(&o.out, "o", "", "write the payload to this `file` instead of standard output")
	f.Int64Var(&o.bytes, "bytes", 0, "raw: end after this many bytes of payload")
	f.BoolVar(&o.sendOnly, "send", false, "raw: end when the payload is sent")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long, retries included; default the policy's timeout_ms")
	f.BoolVar(&o.verbose, "v", false, "log the states of the stream")
	rest, status, ok := a.parse(c, f, args, 1)
	if !ok {
		return status
	}
	f.Visit(func(x *flag.Flag) { o.hasData = o.hasData || x.Name == "data" })
	p, err := o.resolve(rest)
	if err != nil {
		return a.fail(exitUsage, "fetch: %v", err)
	}
	up, err := openUpload(a.in, &o)
	if err != nil {
		return a.fail(exitLocal, "fetch: %v", err)
	}
	defer up.close()
	if s := p.Stream(o.stream); s != nil && s.Protocol != policy.Raw && up.size < 0 && !takesUnknown(s.HTTP.Method) {
		return a.fail(exitUsage, "fetch: %s cannot take payload of unknown length: put it into a file", s.HTTP.Method)
	}
	out := a.out
	if o.out != "" {
		file, err := os.Create(o.out)
		if err != nil {
			return a.fail(exitLocal, "fetch: %v", err)
		}
		status := a.fetch(p, &o, up, file)
		if err := file.Close(); err != nil && status == exitOK {
			return a.fail(exitLocal, "fetch: %v", err)
		}
		return status
	}
	return a.fetch(p, &o, up, out)
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
	case len(rest) == 1:
		return o.fromURL(rest[0])
	case o.policy == "" || o.stream == "":
		return nil, errors.New("--policy and --stream are needed, or a URL; see `millrace help fetch`")
	case o.method != "":
		return nil, errors.New("-X goes with a URL: in a policy the method is the stream type's \"http_method\"")
	case o.ca != "":
		return nil, errors.New("--ca goes with a URL: in a policy the trust store is the stream type's \"tls_trust_store\"")
	}
	return readPolicy(o.policy)
}

const (
	// fetchGrace is for a raw peer that does not close although it has nothing to say any more.
	fetchGrace = time.Second
	// sendGrace is for a peer that has not taken all payload yet. It is longer than a connection lingers
	// on its own account.
	sendGrace = 6 * time.Second
)

// fetch runs the stream to its end.
func (a *app) fetch(p *policy.Policy, o *fetchFlags, up *upload, out io.Writer) int {
	var h *house
	ho := houseOptions{policy: p, level: slog.LevelWarn, grace: fetchGrace}
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
	f := &fetcher{house: h, o: o, up: up, out: newDownload(out, h.post)}
	up.post = h.post
	handle, err := h.rt.Create(ss.Info{StreamType: o.stream, New: func(*ss.Handle) ss.Stream { return f }})
	switch {
	case f.setup != nil:
		err = f.setup
	case err == nil && handle.Policy().Server:
		err = fmt.Errorf("stream type %q is a server's: `millrace serve` is for those", o.stream)
	}
	if err != nil {
		f.out.finish()
		return a.fail(exitUsage, "fetch: %v", err)
	}
	handle.Connect()
	err = h.run(context.Background())
	if wrong := f.out.finish(); wrong != nil {
		return a.fail(exitLocal, "fetch: write: %v", wrong)
	}
	switch {
	case err != nil:
		return a.fail(exitLocal, "fetch: %v", err)
	case f.verdict == verdictNone && h.interrupted:
		return a.fail(exitLocal, "fetch: interrupted")
	case f.why != nil:
		return a.fail(f.verdict.status(), "fetch: %s: %v", f.verdict, f.why)
	case f.verdict != verdictDone:
		return a.fail(f.verdict.status(), "fetch: %s", f.verdict)
	}
	return exitOK
}
