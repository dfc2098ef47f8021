package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// target is where a client stream connects to, made from endpoint, port and http_url.
type target struct {
	dial      wsi.Target
	tls       bool
	secure    *tls.Client // nil without tls
	name      string      // that the server's certificate must have
	authority []byte      // for Host: host, and port when it is not the scheme's own
	path      string      // the URL form's path, which goes before http_url; "" for none
	from      string      // the endpoint it was made of
}

// parseTarget makes a target of an endpoint: see policy.ParseAddress. secure is not set.
func parseTarget(endpoint string, port uint16, tls bool) (t target, err error) {
	a, err := policy.ParseAddress(endpoint, port, tls)
	if err != nil {
		return target{}, fmt.Errorf("endpoint %s: %w", roles.Quote(endpoint), err)
	}
	return target{
		dial:      wsi.Target{Host: a.Host, Port: a.Port, Path: a.Unix},
		tls:       a.TLS,
		name:      a.ServerName(),
		authority: []byte(a.Authority),
		path:      a.Path,
	}, nil
}
