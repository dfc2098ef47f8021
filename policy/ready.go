package policy

import (
	"errors"
	"fmt"
)

// ErrIncomplete is what errors.Is finds in the error of CheckReady.
var ErrIncomplete = errors.New("stream type is incomplete")

// CheckReady reports what a stream of this type still needs before it can connect or listen, nil when
// nothing. Parse does not insist on it, because an overlay may add the rest.
func (s *Stream) CheckReady() error {
	lacks := func(what, fix string) error { return &incomplete{s.Name, what, fix} }
	form := EndpointFormOf(s.Endpoint.String())
	if s.Server {
		switch {
		case !s.HasPort && s.Port == 0 && form != UnixEndpoint && form != VhostEndpoint:
			return lacks("no port", `give "port", or an "endpoint" that begins with "+" for a Unix socket`)
		case s.TLS && (s.ServerCerts == nil || s.ServerKeys == nil) && form != VhostEndpoint:
			return lacks("tls without certificate", `give "server_cert" and "server_key", or certificates when it is created`)
		}
		return nil
	}
	switch {
	case s.LocalSink:
	case form == NoEndpoint:
		return lacks("no endpoint", `give "endpoint", the host to connect to`)
	case s.Port == 0 && form == HostEndpoint:
		return lacks("no port", `give "port", 1 to 65535`)
	}
	return nil
}

// incomplete is the error of CheckReady.
type incomplete struct{ stream, what, fix string }

// Error implements error.
func (e *incomplete) Error() string {
	return fmt.Sprintf("policy: check stream type: %s: %v: %s: %s", e.stream, ErrIncomplete, e.what, e.fix)
}

// Unwrap implements errors.Is.
func (e *incomplete) Unwrap() error { return ErrIncomplete }

// Given reports whether the document spells the key out for this stream type, under any of its names.
func (s *Stream) Given(key string) bool {
	i := streamKeys.find(key)
	return i >= 0 && s.given.has(i)
}
