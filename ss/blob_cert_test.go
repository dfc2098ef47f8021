package ss_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// TestClientCertFromBlobs: each attempt looks up a certificate that Config does not have in the blobs; after a
// renewal the same stream presents the new one.
func TestClientCertFromBlobs(t *testing.T) {
	p := newPKI(t, "device.example", "127.0.0.1")
	other := newPKI(t, "stranger.example")
	l, _, cli := secureWorld(t, p, `"protocol":"h1","tls_trust_store":"lab"`,
		`"endpoint":"127.0.0.1","tls_trust_store":"lab","protocol":"h1","client_cert":1`)
	var m device.BlobMemory
	rt, err := ss.New(ss.Config{Loop: l, Policy: cli.Policy(), Blobs: &m, KeepWarm: -1, PanicOnIllegal: true})
	if err != nil {
		t.Fatal(err)
	}
	der := func(b64 string) []byte {
		b, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const good = "CONNECTING CONNECTED hello\nQOS_ACK_REMOTE DISCONNECTED "
	stream := &told{Builder: new(strings.Builder)}
	h, err := rt.Create(ss.Info{StreamType: "cli", New: func(*ss.Handle) ss.Stream { return stream }})
	if err != nil {
		t.Fatal(err)
	}
	stream.Reset() // of CREATING
	attempt := func(what, want string) error {
		t.Helper()
		stream.end, stream.cause = false, nil
		time.Sleep(2 * time.Millisecond) // the scheme's delay after the failure before, or Connect would wait for it
		h.Connect()
		for end := time.Now().Add(10 * time.Second); !stream.end; {
			if err := l.Service(); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatalf("%s: no end after ten seconds: %s", what, stream)
			}
		}
		if stream.String() != want {
			t.Errorf("%s: got %q, want %q; cause %v", what, stream, want, stream.cause)
		}
		stream.Reset()
		return stream.cause
	}
	const bad = "CONNECTING UNREACHABLE ALL_RETRIES_FAILED "
	if err := attempt("no blobs", bad); !errors.Is(err, ss.ErrNoClientCert) || !errors.Is(err, device.ErrNoBlob) {
		t.Errorf("no blobs: got %v, want ErrNoClientCert and ErrNoBlob", err)
	}
	m.Set(device.BlobClientCertDER, 1, der(other.leaf))
	m.Set(device.BlobClientKeyDER, 1, der(p.key))
	if err := attempt("a key of another certificate", bad); err == nil || !strings.Contains(err.Error(), "CLIENT_CERT_DER, index 1") {
		t.Errorf("a key of another certificate: got %v, want the blob named", err)
	}
	m.Set(device.BlobClientKeyDER, 1, der(other.key))
	attempt("a certificate that the server does not trust", bad)
	m.Set(device.BlobClientCertDER, 1, der(p.leaf))
	m.Set(device.BlobClientKeyDER, 1, der(p.key))
	attempt("the right one", good)
	attempt("the right one again", good)
}
