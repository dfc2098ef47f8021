package interop

import (
	"strings"
	"testing"
)

// h2Servers are servers of HTTP/1.1 and HTTP/2 on one port.
const h2Servers = `
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h2", "metadata": [{"mime": "content-type:"}]}},
	{"web_tls": {SERVER, "protocol": "h2", "metadata": [{"mime": "content-type:"}]}}`

// wire names the transport below HTTP/2.
func wire(secure bool) string {
	if secure {
		return "TLS"
	}
	return "clear"
}

// streamOf returns the stream type for a kind, over TLS or in clear.
func streamOf(kind string, secure bool) string {
	if secure {
		return kind + "_tls"
	}
	return kind
}

// h2Server is `millrace serve` for HTTP/1.1 and HTTP/2 on one port.
type h2Server struct {
	*process
	secure  bool
	at, url string
	ca      *credential // issued its certificate
}

// serveH2 starts an h2Server.
func serveH2(t *testing.T, secure bool, args ...string) *h2Server {
	t.Helper()
	ca := authority(t, "lab")
	s := &h2Server{secure: secure, ca: ca}
	s.process, s.at = serve(t, securely(t, ca, ca.issue(t, "leaf", ecKey(t), nil), h2Servers), streamOf("web", secure), args...)
	s.url = "http://" + s.at
	if secure {
		s.url = "https://" + s.at
	}
	return s
}

// h2Clients returns a policy of HTTP/2 client streams for a port, which trust ca.
func h2Clients(t *testing.T, ca *credential, port string) string {
	t.Helper()
	return securely(t, ca, ca, strings.NewReplacer("PORT", port, "CLEAR", `"endpoint": "127.0.0.1", "opportunistic": true, "retry": "once"`).Replace(`
		{"get":      {CLEAR,  "port": PORT, "protocol": "h2", "http_url": "${path}", "metadata": [{"path": ""}]}},
		{"get_tls":  {CLIENT, "port": PORT, "protocol": "h2", "http_url": "${path}", "metadata": [{"path": ""}]}},
		{"post":     {CLEAR,  "port": PORT, "protocol": "h2", "http_method": "POST", "http_url": "${path}", "metadata": [{"path": ""}]}},
		{"post_tls": {CLIENT, "port": PORT, "protocol": "h2", "http_method": "POST", "http_url": "${path}", "metadata": [{"path": ""}]}}`))
}
