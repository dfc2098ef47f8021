package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/ss"
)

var serveCommand = command{
	name: "serve", args: "--policy FILE --stream NAME (--reply TEXT | --echo | --file FILE)",
	brief: "listen as a server stream of a policy, and answer",
	help: `
Listens at the endpoint of the stream type NAME of the policy ("server": true) and prints the address. Every
request, or on "raw" every connection, is answered with TEXT, with its own payload, or with the content of a file,
which is opened once and must not change. An echo does not read more than it can send: if a client does not read,
the echo stops reading from it.

Stream types of "ws", and those of "h1" and "h2" with a "ws_subprotocol", accept WebSockets on the same port. An echo
returns their messages as they arrive, text as text and binary as binary; --reply and --file refuse them.

With "protocol": "h2" one port serves HTTP/2 and HTTP/1.1: over TLS the client selects (ALPN), in clear text a client
uses HTTP/2 with prior knowledge, as curl does with --http2-prior-knowledge.

The first SIGINT or SIGTERM ends it in order: it accepts no new connections and completes answers in progress for at
most --grace. A second signal ends it at once. SIGUSR1 dumps the streams.

With "tls": true in the stream type it serves over TLS, with the policy's "server_cert" and "server_key", or
with those of --cert and --key, which may be repeated for several names. SIGHUP then reads the policy file, or those
files, again, and uses the certificates for new connections; established connections are not affected. After an
error the present certificates stay. SIGHUP does not reload the rest of the policy.

With "tls_trust_store" in the stream type, or --client-ca, it accepts only clients with a certificate of these
authorities. A server stream keeps no cookies and presents only its own certificate: --cookies and --client-cert are
flags of fetch.

examples:
  millrace serve --policy policy.json --stream web --reply "hello" --type text/plain
  millrace serve --policy policy.json --stream web --file index.html --type text/html
  millrace serve --policy policy.json --stream tcp_echo --echo -v
  millrace serve --policy policy.json --stream web --cert cert.pem --key key.pem --reply "hello"
  millrace serve --policy policy.json --stream web --client-ca devices.pem --reply "hello"
  kill -HUP $(pidof millrace)

A policy for the first two examples, on a port that the system selects:
  {"s": [{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2",
                  "metadata": [{"mime": "content-type:"}]}}]}`,
	run: runServe,
}

// defaultGrace is how long answers in progress may take after the first signal.
const defaultGrace = 10 * time.Second

// serveFlags are the flags of serve.
type serveFlags struct {
	policy, stream    string
	reply, file, mime string
	echo, verbose     bool
	grace             time.Duration
	hasReply          bool
	certs, keys       []string // files, pairwise
	clientCA          string   // file
	device            deviceFlags
}

func runServe(a *app, c *command, args []string) int {
	var o serveFlags
	f := a.flags(c)
	f.StringVar(&o.policy, "policy", "", "policy `file`")
	f.StringVar(&o.stream, "stream", "", "`name` of the stream type to serve")
	f.StringVar(&o.reply, "reply", "", "answer with this `text`")
	f.StringVar(&o.file, "file", "", "answer with the content of this `file`")
	f.BoolVar(&o.echo, "echo", false, "answer with the received payload")
	f.StringVar(&o.mime, "type", "", "media `type` of the answer, for the metadata \"mime\" of the policy")
	f.Func("cert", "use the certificate in this PEM `file`, followed by its chain", fileList(&o.certs))
	f.Func("key", "the certificate's key, a PEM `file`", fileList(&o.keys))
	f.StringVar(&o.clientCA, "client-ca", "", "accept only clients with a certificate of the authorities in this PEM `file`,\ninstead of the policy's \"tls_trust_store\"")
	o.device.blobFlag(f)
	f.DurationVar(&o.grace, "grace", defaultGrace, "how long answers in progress may take after a signal")
	f.BoolVar(&o.verbose, "v", false, "log the states of all streams")
	if _, status, ok := a.parse(c, f, args, 0); !ok {
		return status
	}
	f.Visit(func(x *flag.Flag) { o.hasReply = o.hasReply || x.Name == "reply" })
	if err := o.check(); err != nil {
		return a.fail(exitUsage, "serve: %v; see `millrace help serve`", err)
	}
	p, err := readPolicy(o.policy)
	var d device
	if err == nil {
		d, err = o.device.open()
	}
	sv := &service{}
	if err == nil {
		err = sv.prepare(p, &o)
	}
	if err != nil {
		return a.fail(statusOf(err), "serve: %v", err)
	}
	defer sv.content.close()
	return a.serve(p, sv, d, &o)
}

// demandClients makes s accept only clients with a certificate of the authorities of --client-ca.
func (o *serveFlags) demandClients(s *policy.Stream) error {
	roots, err := readRoots(o.clientCA)
	if err != nil {
		return fmt.Errorf("--client-ca: %w", err)
	}
	t := &policy.TrustStore{Name: "--client-ca"}
	for i, der := range roots {
		t.Stack = append(t.Stack, &policy.Cert{Name: fmt.Sprintf("--client-ca %d", i+1), DER: der})
	}
	s.TrustStore = t
	return nil
}

func (o *serveFlags) check() error {
	ways := 0
	for _, given := range []bool{o.hasReply, o.echo, o.file != ""} {
		if given {
			ways++
		}
	}
	switch {
	case o.policy == "" || o.stream == "":
		return errors.New("--policy and --stream are needed")
	case ways != 1:
		return errors.New("use one of --reply, --echo and --file")
	case len(o.certs) != len(o.keys):
		return fmt.Errorf("%d times --cert and %d times --key: every certificate needs its key, in the same order", len(o.certs), len(o.keys))
	}
	return nil
}

// serve runs the service until a signal ends it.
func (a *app) serve(p *policy.Policy, sv *service, d device, o *serveFlags) int {
	level := slog.LevelWarn
	var h *runner
	ho := runnerOptions{policy: p, grace: o.grace, device: d}
	ho.reload = func() { h.log.Warn("SIGHUP: nothing to reload: the stream type has no tls", "stream", o.stream) }
	if s := p.Stream(o.stream); s != nil && s.TLS {
		ho.reload = func() { sv.reload(o) }
	}
	if o.verbose {
		level = slog.LevelInfo
		ho.observe = logStates(func() *slog.Logger { return h.log })
	}
	ho.level = level
	h, err := a.open(ho)
	if err != nil {
		return a.fail(exitLocal, "serve: %v", err)
	}
	defer h.close()
	sv.runner = h
	l, err := h.rt.Create(ss.Info{StreamType: o.stream, New: sv.stream, Certificates: sv.certs})
	if err != nil {
		return a.fail(statusOf(err), "serve: %v", err)
	}
	sv.listener = l
	at, _ := l.Addr()
	over := l.Policy().Protocol.String()
	if l.Policy().Protocol == policy.H2 {
		over = "h2 and h1"
	}
	if l.Policy().TLS {
		over += " over tls"
	}
	if _, err := fmt.Fprintln(a.out, roles.Plain(fmt.Sprintf("serving %s (%s) on %v", o.stream, over, at))); err != nil {
		return a.fail(exitLocal, "serve: print the address: %v", err)
	}
	if err := h.run(context.Background()); err != nil {
		return a.fail(exitLocal, "serve: %v", err)
	}
	if h.forced.Load() {
		return a.fail(exitLocal, "serve: interrupted: answers in progress are incomplete")
	}
	return exitOK
}

// prepare checks that the stream type supports the flags, before the server listens.
func (sv *service) prepare(p *policy.Policy, o *serveFlags) error {
	sv.echo, sv.mime = o.echo, o.mime
	if len(o.certs) > 0 {
		var err error
		if sv.certs, err = readCertificates("--cert", "--key", o.certs, o.keys); err != nil {
			return err
		}
	}
	if s := p.Stream(o.stream); s != nil {
		sv.http = s.Protocol != policy.Raw
		switch {
		case !s.Server:
			return fmt.Errorf("stream type %q is for clients: serve needs one with \"server\": true", o.stream)
		case len(o.certs) > 0 && !s.TLS:
			return fmt.Errorf("stream type %q has no \"tls\": true, which --cert needs", o.stream)
		case o.mime != "" && s.MetadataIndex("mime") < 0:
			return fmt.Errorf("stream type %q declares no metadata \"mime\" for --type: add {\"mime\": \"content-type:\"}", o.stream)
		case o.clientCA != "" && !s.TLS:
			return fmt.Errorf("stream type %q has no \"tls\": true, which --client-ca needs", o.stream)
		case o.clientCA != "":
			if err := o.demandClients(s); err != nil {
				return err
			}
		}
	}
	if o.file == "" {
		sv.content.text = []byte(o.reply)
		sv.content.size = int64(len(o.reply))
		return nil
	}
	return sv.content.open(o.file)
}

// stream returns the callbacks of every accepted stream, and nil for the listener.
func (sv *service) stream(h *ss.Handle) ss.Stream {
	switch {
	case h.Server() == nil:
		return nil
	case sv.echo:
		return &echo{sv: sv}
	}
	return &reply{sv: sv}
}
