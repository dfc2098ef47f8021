package interop

import (
	"context"
	"crypto/sha256"
	stdtls "crypto/tls"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// fileServer answers every request with the file.
type fileServer struct {
	t    *testing.T
	name string
}

func (s *fileServer) State(h *ss.Handle, st ss.State, _ ss.Notice) ss.Ret {
	if st != ss.ServerTxn {
		return ss.OK
	}
	f, err := os.Open(s.name)
	if err != nil {
		s.t.Error(err)
		return ss.DestroyMe
	}
	info, err := f.Stat()
	if err != nil {
		s.t.Error(err)
		return ss.DestroyMe
	}
	h.ServerAck(0)
	if err = h.SendFile(f, 0, info.Size(), ss.EOM); err != nil {
		s.t.Error(err)
	}
	return ss.OK
}

func (*fileServer) Rx(*ss.Handle, []byte, ss.Flags) ss.Ret { return ss.OK }
func (*fileServer) Tx(*ss.Handle, uint32, []byte) (int, ss.Flags, ss.Ret) {
	return 0, 0, ss.TxDontSend
}

// TestCurlGetsAFile: curl downloads a file that SendFile sends, over HTTP/1.1 and HTTP/2, in clear and under TLS, and has the
// same bytes.
func TestCurlGetsAFile(t *testing.T) {
	need(t, "curl", "curl")
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	content := make([]byte, 5_000_001)
	rand.NewChaCha8([32]byte{1}).Read(content)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	want := hex.EncodeToString(sum[:])
	s := newScene(t, `{"s":[{"plain":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h2"}},
		{"secure":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h2","tls":true}}]}`)
	certs := []stdtls.Certificate{authority(t, "lab").issue(t, "leaf", ecKey(t), nil).pair()}
	at := map[string]string{}
	for scheme, streamType := range map[string]string{"http": "plain", "https": "secure"} {
		i := ss.Info{StreamType: streamType, New: func(*ss.Handle) ss.Stream { return &fileServer{t, name} }}
		if scheme == "https" {
			i.Certificates = certs
		}
		h, err := s.rt.Create(i)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := h.Addr()
		at[scheme] = scheme + "://" + a.IP.String() + "/"
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error)
	go func() { over <- s.loop.Run(ctx) }()
	for _, c := range []struct{ name, scheme, how, version string }{
		{"h1", "http", "--http1.1", "1.1"},
		{"h2", "http", "--http2-prior-knowledge", "2"},
		{"h1 over TLS", "https", "--http1.1", "1.1"},
		{"h2 over TLS", "https", "--http2", "2"},
	} {
		out := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-"))
		r := curl(t, "-k", c.how, "-o", out, "-w", "%{http_version} %{http_code} %header{content-length}", at[c.scheme])
		if want := c.version + " 200 " + strconv.Itoa(len(content)); r.out != want {
			t.Errorf("%s: curl says %q, want %q", c.name, r.out, want)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: curl has %d bytes with sha256 %s, want %d with %s", c.name, len(b), got, len(content), want)
		}
	}
	stop()
	if err := <-over; err != nil && err != context.Canceled {
		t.Error(fmt.Errorf("the loop: %w", err))
	}
	s.rt.Close()
}
