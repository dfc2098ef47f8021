package ss

import (
	"fmt"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/tls"
	"github.com/millrace/millrace/wsi"
)

// target is the address that a client stream connects to, derived from endpoint, port and http_url.
type target struct {
	dial      wsi.Target
	tls       bool
	secure    *tls.Client // nil without tls
	name      string      // expected in the server's certificate
	authority []byte      // for Host: host, and port if it is not the scheme's default
	path      string      // path of the endpoint's URL, used if http_url is empty; "" for none
	from      string      // the endpoint that it was derived from
}

// parseTarget derives a target from an endpoint: see policy.ParseAddress. secure is not set.
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
