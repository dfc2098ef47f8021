package interop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// front is one way to reach a net/http server.
type front struct{ name, keys, proto string }

// fronts starts handler in clear and under TLS, with HTTP/1.1 and HTTP/2 on both. It returns the four ways to reach it,
// and the head of a policy that trusts it.
func fronts(t *testing.T, handler http.Handler) (list []front, head string) {
	t.Helper()
	clear, secure := httptest.NewUnstartedServer(handler), httptest.NewUnstartedServer(handler)
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetHTTP1(true)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	for _, s := range []*httptest.Server{clear, secure} {
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
	}
	port := func(s *httptest.Server) string { return s.URL[strings.LastIndexByte(s.URL, ':')+1:] }
	const trust = `,"tls":true,"tls_trust_store":"lab"`
	head = fmt.Sprintf(`{"retry":[{"none":{"backoff":[10],"conceal":0,"jitterpc":0}}],"certs":[{"theirs":%q}],"trust_stores":[{"name":"lab","stack":["theirs"]}],
		"s":[{"c":{"endpoint":"127.0.0.1","retry":"none","opportunistic":true,`, base64.StdEncoding.EncodeToString(secure.Certificate().Raw))
	return []front{
		{"h1", `"protocol":"h1","port":` + port(clear), "HTTP/1.1"},
		{"h1 over TLS", `"protocol":"h1","port":` + port(secure) + trust, "HTTP/1.1"},
		{"h2", `"protocol":"h2","port":` + port(clear), "HTTP/2.0"},
		{"h2 over TLS", `"protocol":"h2","port":` + port(secure) + trust, "HTTP/2.0"},
	}, head
}

// mirror answers with the request, line by line, and with the status that the query names.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Reply", "r1")
	if s, _ := strconv.Atoi(r.URL.Query().Get("status")); s != 0 {
		w.WriteHeader(s)
	}
	fmt.Fprintf(w, "%s %s %s length %d", r.Proto, r.Method, r.URL.RequestURI(), r.ContentLength)
	for _, f := range []string{"Authorization", "X-Dsn", "X-Fw", "X-Type", "X-Meta", "X-Direct"} {
		if v := r.Header.Get(f); v != "" {
			fmt.Fprintf(w, " %s=%s", f, v)
		}
	}
	fmt.Fprintf(w, " %s", body)
}

// TestHTTPKeys: each policy key for HTTP clients against net/http, on HTTP/1.1 and HTTP/2, in clear and under TLS:
// it has the same effect in all four cases.
func TestHTTPKeys(t *testing.T) {
	list, head := fronts(t, http.HandlerFunc(mirror))
	const (
		good = "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING"
		fail = "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED DESTROYING"
	)
	set := func(name, v string) func(*ss.Handle) {
		return func(h *ss.Handle) {
			if err := h.SetMetadataString(name, v); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name, keys, send string
		made             func(h *ss.Handle)
		states           string
		body             string // after the name of the protocol
		status           int
	}{
		{"nothing", ``, "", nil, good, " GET / length 0 ", 200},
		{"http_method", `,"http_method":"OPTIONS","http_url":"/x"`, "", nil, good, " OPTIONS /x length 0 ", 200},
		{"http_method of one's own", `,"http_method":"PURGE"`, "", nil, good, " PURGE / length 0 ", 200},
		{"http_url with metadata", `,"http_url":"/u/${m}?q=${m}","metadata":[{"m":""}]`, "", set("m", "a%20b"), good, " GET /u/a%20b?q=a%20b length 0 ", 200},
		{"http_expect met", `,"http_expect":404,"http_url":"/?status=404"`, "", nil, good, " GET /?status=404 length 0 ", 404},
		{"http_expect missed", `,"http_expect":204`, "", nil, fail, "", 200},
		{"http_resp_map", `,"http_resp_map":[{"530":1530}],"http_url":"/?status=530"`, "", nil,
			"CREATING CONNECTING user state CONNECTED QOS_NACK_REMOTE DISCONNECTED DESTROYING", " GET /?status=530 length 0 ", 530},
		{"http_fail_redirect", `,"http_fail_redirect":true,"http_url":"/?status=307"`, "", nil, fail, "", 307},
		{"a length", `,"http_method":"POST"`, "body", nil, good, " POST / length 4 body", 200},
		{"http_no_content_length", `,"http_method":"POST","http_no_content_length":true`, "body", nil, good, " POST / length -1 body", 200},
		{"http_auth_header", `,"http_auth_header":"authorization:","http_auth_preamble":"bearer "`, "", nil, good, " GET / length 0 Authorization=bearer t0ken ", 200},
		{"auth_hexify", `,"http_auth_header":"authorization:","auth_hexify":true`, "", nil, good, " GET / length 0 Authorization=74306b656e ", 200},
		{"the device", `,"http_dsn_header":"x-dsn:","http_fwv_header":"x-fw:","http_devtype_header":"X-Type:"`, "", nil, good,
			" GET / length 0 X-Dsn=sn7 X-Fw=1.2 X-Type=lamp ", 200},
		{"metadata to a field", `,"metadata":[{"m":"X-Meta:"},{"reply":"x-reply:"}]`, "", set("m", "v"), good, " GET / length 0 X-Meta=v ", 200},
		{"direct_proto_str", `,"direct_proto_str":true`, "", set("X-Direct:", "v"), good, " GET / length 0 X-Direct=v ", 200},
		{"nghttp2_quirk_end_stream, h2q_oflow_txcr", `,"nghttp2_quirk_end_stream":true,"h2q_oflow_txcr":true`, "", nil, good, " GET / length 0 ", 200},
		{"perf", `,"perf":true`, "", nil, good, " GET / length 0 ", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range list {
				var m device.BlobMemory
				for id, v := range map[device.BlobID]string{device.BlobAuth: "t0ken", device.BlobDeviceSerial: "sn7", device.BlobFirmwareVersion: "1.2", device.BlobDeviceType: "lamp"} {
					m.Set(id, 0, []byte(v))
				}
				s := newSceneWith(t, head+f.keys+c.keys+`}}]}`, func(cfg *ss.Config) { cfg.Blobs = &m })
				x := &call{send: c.send, made: c.made}
				replies, status := "", 0
				x.onState = func(st ss.State) {
					if st == ss.Connected || st == ss.Unreachable {
						status = x.h.HTTPStatus()
						for _, name := range []string{"reply", "X-Reply:"} {
							if v, ok := x.h.Metadata(name); ok {
								replies += string(v)
							}
						}
					}
				}
				s.play(x, "c")
				if got := names(x.states); got != c.states {
					t.Errorf("%s: got states %s, want %s; causes %v", f.name, got, c.states, x.causes)
				}
				if want := f.proto + c.body; c.body != "" && x.body.String() != want {
					t.Errorf("%s: the server received %q, want %q", f.name, x.body.String(), want)
				}
				if status != c.status {
					t.Errorf("%s: HTTPStatus %d, want %d", f.name, status, c.status)
				}
				reads := strings.Contains(c.keys, "x-reply") || strings.Contains(c.keys, "direct_proto_str")
				if want := map[bool]string{true: "r1"}[reads]; replies != want {
					t.Errorf("%s: got response fields %q, want %q", f.name, replies, want)
				}
				checkPerf(t, f, c.keys, x.perf)
			}
		})
	}
}

// checkPerf expects one report if keys request it, with plausible times.
func checkPerf(t *testing.T, f front, keys string, got []string) {
	t.Helper()
	if !strings.Contains(keys, "perf") {
		if len(got) != 0 {
			t.Errorf("%s: got reports without perf in the policy: %q", f.name, got)
		}
		return
	}
	var r struct {
		Peer     string   `json:"peer"`
		Connect  int      `json:"sockconn_us"`
		TLS      int      `json:"tls_us"`
		Response int      `json:"txn_resp_us"`
		Disp     int      `json:"dns_disp"`
		DNS      []string `json:"dns"`
		Specific struct {
			Protocol string
			Resp     int
		} `json:"prot_specific"`
	}
	if len(got) != 1 || json.Unmarshal([]byte(got[0]), &r) != nil {
		t.Errorf("%s: got reports %q, want one JSON report", f.name, got)
		return
	}
	secure := strings.Contains(f.keys, `"tls":true`)
	if r.Peer != "127.0.0.1" || r.Disp != 1 || len(r.DNS) != 1 || r.Connect <= 0 || (r.TLS > 0) != secure || r.Response <= 0 ||
		r.Specific.Protocol != "http" || r.Specific.Resp != 200 {
		t.Errorf("%s: report %s: want a peer, a connection, TLS as the policy says, and a response", f.name, got[0])
	}
}

// TestTxCreditAgainstNetHTTP: an HTTP/2 server with more data than the granted window waits until the client grants more.
func TestTxCreditAgainstNetHTTP(t *testing.T) {
	const size = 300_000
	list, head := fronts(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		io.WriteString(w, pattern(size, 5))
	}))
	for _, f := range list[2:] {
		s := newScene(t, head+f.keys+`}}]}`)
		x := &creditor{call: &call{}, most: 10_000}
		s.playStream(x, x.call, "c", ss.Info{ManualInitialTxCredit: 10_000})
		x.passed(t, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING")
		same(t, f.name, x.body.String(), pattern(size, 5))
		if x.early > 0 || x.grants < size/10_000-1 {
			t.Errorf("%s: got %d bytes beyond the grant and %d grants; want 0, and one grant for every 10,000 bytes", f.name, x.early, x.grants)
		}
	}
}

// creditor grants a little more each time all granted bytes have arrived.
type creditor struct {
	*call
	most, open, early, grants int
}

// Rx implements ss.Stream.
func (c *creditor) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if c.grants == 0 && c.open == 0 {
		c.open = c.most
	}
	if c.open -= len(b); c.open < 0 {
		c.early -= c.open
	}
	if c.open == 0 && len(b) > 0 {
		c.open = c.most
		c.grants++
		h.AddPeerTxCredit(c.most)
	}
	return c.call.Rx(h, b, f)
}
