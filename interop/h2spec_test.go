package interop

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	stdtls "crypto/tls"

	"github.com/summerwind/h2spec/client"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"github.com/millrace/millrace/ss"
)

// h2specTimeout is how long a case waits for the expected frame: far longer than needed.
const h2specTimeout = 10 * time.Second

// Every case of h2spec, including the strict ones, each on its own connection. The server answers with a body, since
// some cases block it with a window of zero and expect DATA later.
func TestH2specServer(t *testing.T) {
	const want = 146
	for _, secure := range []bool{false, true} {
		t.Run(wire(secure), func(t *testing.T) {
			host, port := split(t, serveH2(t, secure, "--reply", "hello to whoever asks\n").at)
			c := &config.Config{Host: host, Port: port, Path: "/", Timeout: h2specTimeout, MaxHeaderLen: 4000, Strict: true, TLS: secure, Insecure: true}
			if n := h2specGroups(t, c, generic.Spec(), http2.Spec(), hpack.Spec()); n != want {
				t.Errorf("h2spec ran %d cases, want %d", n, want)
			}
		})
	}
}

// h2specGroups runs the cases of groups and their subgroups, and returns the number of cases.
func h2specGroups(t *testing.T, c *config.Config, groups ...*spec.TestGroup) (n int) {
	for _, g := range groups {
		for i, k := range append(g.Tests, g.StrictTests...) {
			n++
			t.Run(fmt.Sprintf("%s/%d", g.ID(), i+1), func(t *testing.T) {
				conn, err := spec.Dial(c)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				h2specPassed(t, k.Desc, k.Requirement, k.Run(c, conn))
			})
		}
		n += h2specGroups(t, c, g.Groups...)
	}
	return n
}

// h2specPassed fails the test unless the case passed. A skipped case fails the test too.
func h2specPassed(t *testing.T, desc, requirement string, err error) {
	t.Helper()
	var e *spec.TestError
	switch {
	case err == nil:
	case errors.As(err, &e):
		t.Errorf("%s: %s\nwant one of %s\ngot %s", desc, requirement, strings.Join(e.Expected, ", "), e.Actual)
	default:
		t.Errorf("%s: %s\n%v", desc, requirement, err)
	}
}

// The cases for clients: h2spec is the server, and our stream sends it a request.
func TestH2specClient(t *testing.T) {
	const want = 57
	for _, secure := range []bool{false, true} {
		t.Run(wire(secure), func(t *testing.T) {
			ca := authority(t, "lab")
			leaf := ca.issue(t, "leaf", ecKey(t), nil)
			cfg := &stdtls.Config{Certificates: []stdtls.Certificate{leaf.pair()}, NextProtos: []string{"h2"}}
			c := &config.Config{Host: "127.0.0.1", Timeout: h2specTimeout, MaxHeaderLen: 4000, Strict: true, TLS: secure}
			n := h2specClientGroup(t, c, client.Spec(), func(t *testing.T) (net.Listener, string) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				_, port, _ := net.SplitHostPort(l.Addr().String())
				if secure {
					l = stdtls.NewListener(l, cfg)
				}
				return l, h2Clients(t, ca, port)
			})
			if n != want {
				t.Errorf("h2spec ran %d cases for clients, want %d", n, want)
			}
		})
	}
}

func h2specClientGroup(t *testing.T, c *config.Config, g *spec.ClientTestGroup, listen func(t *testing.T) (net.Listener, string)) (n int) {
	for i, k := range g.Tests {
		n++
		t.Run(fmt.Sprintf("%s/%d", g.ID(), i+1), func(t *testing.T) {
			l, doc := listen(t)
			s := newScene(t, doc)
			// A case may continue after its response, so the stream and its connection stay open until the case ends.
			var idle *ss.Handle
			over := false
			x := &call{over: func(h *ss.Handle) ss.Ret {
				if over {
					return ss.DestroyMe
				}
				idle = h
				return ss.OK
			}}
			found := make(chan error, 1)
			go func() {
				found <- h2specAsServer(c, l, k)
				s.loop.Post(func() {
					if over = true; idle != nil {
						idle.Destroy()
					}
				})
			}()
			s.play(x, streamOf("get", c.TLS), "path", "")
			h2specPassed(t, k.Desc, k.Requirement, <-found)
		})
	}
	for _, below := range g.Groups {
		n += h2specClientGroup(t, c, below, listen)
	}
	return n
}

// h2specAsServer runs a case on the first connection that l accepts. Later connection attempts of the stream fail.
func h2specAsServer(c *config.Config, l net.Listener, k *spec.ClientTestCase) error {
	base, err := l.Accept()
	l.Close()
	if err != nil {
		return err
	}
	defer base.Close()
	conn, err := spec.Accept(c, base)
	if err != nil {
		return err
	}
	return k.Run(c, conn)
}

// split splits an address into host and port number.
func split(t *testing.T, at string) (host string, port int) {
	t.Helper()
	host, text, err := net.SplitHostPort(at)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}
