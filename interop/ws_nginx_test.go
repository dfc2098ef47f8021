package interop

import (
	"strings"
	"testing"
)

// wsBehind is a wsRuntime whose servers the clients reach through nginx.
type wsBehind struct {
	*wsRuntime
	clear, secure string // where nginx listens
}

// at implements wsPeer.
func (b *wsBehind) at(c *wsConversation) string {
	switch {
	case c.h2:
		return ""
	case c.secure:
		return b.secure
	}
	return b.clear
}

// nginx as a reverse proxy before our server, in clear and over TLS on both of its sides: our client and gorilla's hold
// all conversations through it that nginx supports.
func TestWebSocketThroughNginx(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	h := newWSRuntime(t, keys, wsTerms{}, nil)
	clear, secure := freePort(t), freePort(t)
	const upgrade = `proxy_http_version 1.1;
		proxy_set_header Host $http_host;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection upgrade;`
	startNginx(t, upgrade+`
		map $arg_deflate $ours { "" `+h.at(&wsConversation{})+`; default `+h.at(&wsConversation{deflate: "fresh"})+`; }
		server { listen 127.0.0.1:`+clear+`; location / { proxy_pass http://$ours; } }
		server {
			listen 127.0.0.1:`+secure+` ssl;
			ssl_certificate `+keys.leaf.pem+`;
			ssl_certificate_key `+keys.leaf.pkey+`;
			ssl_protocols TLSv1.3;
			location / {
				proxy_pass https://`+h.at(&wsConversation{secure: true})+`;
				proxy_ssl_protocols TLSv1.3;
				proxy_ssl_trusted_certificate `+keys.ca.pem+`;
				proxy_ssl_verify on;
				proxy_ssl_name localhost;
			}
		}`, "")
	behind := &wsBehind{h, "127.0.0.1:" + clear, "127.0.0.1:" + secure}
	ours := newWSRuntime(t, keys, wsTerms{}, behind)
	list := append(wsConversations(), wsConversation{name: "compressed", deflate: "fresh", say: ofLengths(1000, 1<<20)})
	for name, client := range map[string]wsPeer{"ours": ours, "gorilla": newWSGo(t, keys, gorilla{})} {
		t.Run(name, func(t *testing.T) {
			for _, c := range list {
				if c.served != "" || c.ping != "" && client == wsPeer(ours) || strings.HasPrefix(c.name, "16 MiB") {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					said, saw := c.hold(t, client, behind)
					c.check(t, said, saw, true)
					h.rest(t)
					ours.rest(t)
				})
			}
		})
	}
	h.sound(t)
	ours.sound(t)
}
