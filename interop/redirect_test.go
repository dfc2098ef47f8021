package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// asked is a request as a server received it.
type asked struct{ method, path, auth, cookie, body string }

func (a asked) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", a.method, a.path, a.auth, a.cookie, a.body))
}

// TestRedirectsOfNetHTTP: net/http's own redirects, in clear, under TLS and between the two. net/http
// checks that our next request follows the usual method rules.
func TestRedirectsOfNetHTTP(t *testing.T) {
	var last atomic.Value
	var clear, secure *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("/end/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(asked{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("X-Device"), string(body)})
		fmt.Fprint(w, "arrived")
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		mux.HandleFunc(fmt.Sprintf("/%d/", status), func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, "../end/?from="+r.URL.Path, status)
		})
	}
	mux.HandleFunc("/up/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secure.URL+"/302/", http.StatusFound)
	})
	mux.HandleFunc("/down/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, clear.URL+"/end/", http.StatusFound) })
	mux.HandleFunc("/ring/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ring/", http.StatusFound) })
	clear, secure = httptest.NewUnstartedServer(mux), httptest.NewUnstartedServer(mux)
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetHTTP1(true)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that does not trust its CA
	secure.StartTLS()
	defer clear.Close()
	defer secure.Close()
	port := func(s *httptest.Server) string { return s.URL[strings.LastIndexByte(s.URL, ':')+1:] }
	doc := func(more string) string {
		return strings.NewReplacer("CERT", base64.StdEncoding.EncodeToString(secure.Certificate().Raw)).
			Replace(`{"retry": [{"none": {"backoff": [10], "conceal": 0, "jitterpc": 0}}], "certs": [{"theirs": "CERT"}],
				"trust_stores": [{"name": "lab", "stack": ["theirs"]}], "s": [{"c": {"endpoint": "127.0.0.1", "http_url": "${path}", "retry": "none",
				"opportunistic": true, "protocol": "PROTO", "allow_redirects": true, "metadata": [{"path": ""}], "http_auth_header": "authorization:", "http_dsn_header": "x-device:", ` + more + `}}]}`)
	}
	const trust = `, "tls_trust_store": "lab"`
	inClear := func(more string) string { return doc(fmt.Sprintf(`"port": %s%s`, port(clear), more)) }
	underTLS := func(more string) string {
		return doc(fmt.Sprintf(`"port": %s, "tls": true%s`, port(secure), trust+more))
	}
	post := `, "http_method": "POST"`
	for _, c := range []struct {
		name, doc, path, send string
		want                  string // the request that arrived, or part of the cause
		status                int    // of a StatusError, -1 for another cause
	}{
		{"301", inClear(""), "301/", "", "GET /end/?from=/301/ token serial", 0},
		{"302", inClear(""), "302/", "", "GET /end/?from=/302/ token serial", 0},
		{"303", inClear(""), "303/", "", "GET /end/?from=/303/ token serial", 0},
		{"307", inClear(""), "307/", "", "GET /end/?from=/307/ token serial", 0},
		{"308", inClear(""), "308/", "", "GET /end/?from=/308/ token serial", 0},
		{"POST, 301", inClear(post), "301/", "body", "GET /end/?from=/301/ token serial", 0},
		{"POST, 303", inClear(post), "303/", "body", "GET /end/?from=/303/ token serial", 0},
		{"POST, 307", inClear(post), "307/", "body", "POST /end/?from=/307/ token serial body", 0},
		{"PUT, 302", inClear(`, "http_method": "PUT"`), "302/", "body", "PUT /end/?from=/302/ token serial body", 0},
		{"PUT, 308", inClear(`, "http_method": "PUT"`), "308/", "body", "PUT /end/?from=/308/ token serial body", 0},
		{"a loop", inClear(""), "ring/", "", "which is the limit", 302},
		{"from clear to TLS", inClear(`, "tls": false` + trust), "up/", "", "GET /end/?from=/302/", 0},
		{"from clear to TLS that is not trusted", inClear(""), "up/", "", "certificate", -1},
		{"under TLS", underTLS(""), "302/", "", "GET /end/?from=/302/ token serial", 0},
		{"from TLS to clear", underTLS(""), "down/", "", "from https to http", 302},
	} {
		each(t, c.name, func(t *testing.T, proto string) {
			var m device.BlobMemory
			m.Set(device.BlobAuth, 0, []byte("token"))
			m.Set(device.BlobDeviceSerial, 0, []byte("serial"))
			last.Store(asked{})
			s := newSceneWith(t, strings.ReplaceAll(c.doc, "PROTO", proto), func(cfg *ss.Config) { cfg.Blobs = &m })
			x := &call{send: c.send}
			s.play(x, "c", "path", c.path)
			if c.status == 0 {
				again := "" // CONNECTING, when the stream must send the body again
				if strings.HasSuffix(c.want, " body") {
					again = " CONNECTING"
				}
				x.passed(t, "CREATING CONNECTING"+again+" CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING")
				same(t, "what arrived", last.Load().(asked).String(), c.want)
				return
			}
			x.passed(t, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING")
			var e *ss.StatusError
			if is := errors.As(x.causes[0], &e); is != (c.status > 0) || is && e.Status != c.status || !strings.Contains(x.causes[0].Error(), c.want) {
				t.Errorf("got cause %v, want status %d and %q", x.causes[0], c.status, c.want)
			}
		})
	}
}

// each runs a test over HTTP/1.1 and over HTTP/2.
func each(t *testing.T, name string, f func(t *testing.T, proto string)) {
	for _, proto := range []string{"h1", "h2"} {
		t.Run(name+" over "+proto, func(t *testing.T) { f(t, proto) })
	}
}

// TestRedirectKeepsClientCertificate: the client certificate goes to the origin that the policy names, and not to an origin that
// a redirect names. The certificate comes from the blobs.
func TestRedirectKeepsClientCertificate(t *testing.T) {
	var near, far *httptest.Server
	var shown [2]atomic.Int32
	count := func(i int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			shown[i].Store(int32(len(r.TLS.PeerCertificates)))
			if i == 0 && r.URL.Path == "/away" {
				http.Redirect(w, r, far.URL+"/", http.StatusFound)
			}
		}
	}
	start := func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	near, far = start(count(0)), start(count(1))
	ours := near.TLS.Certificates[0] // any certificate: the servers do not verify its issuer
	key, err := x509.MarshalPKCS8PrivateKey(ours.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	each(t, "a certificate", func(t *testing.T, proto string) {
		var m device.BlobMemory
		m.Set(device.BlobClientCertDER, 0, ours.Certificate[0])
		m.Set(device.BlobClientKeyDER, 0, key)
		s := newSceneWith(t, fmt.Sprintf(`{"certs":[{"theirs":%q}],"trust_stores":[{"name":"lab","stack":["theirs"]}],"s":[{"c":{"endpoint":"127.0.0.1","port":%s,
			"tls":true,"tls_trust_store":"lab","client_cert":0,"protocol":%q,"http_url":"/away","allow_redirects":true,"opportunistic":true}}]}`,
			base64.StdEncoding.EncodeToString(near.Certificate().Raw), near.URL[strings.LastIndexByte(near.URL, ':')+1:], proto),
			func(cfg *ss.Config) { cfg.Blobs = &m })
		shown[0].Store(-1)
		shown[1].Store(-1)
		x := &call{}
		s.play(x, "c")
		x.passed(t, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING")
		if a, b := shown[0].Load(), shown[1].Load(); a != 1 || b != 0 {
			t.Errorf("certificates shown: %d to the policy's origin, %d to the redirect's; want 1 and 0 (-1: not requested)", a, b)
		}
	})
}
