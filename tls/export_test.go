package tls

import stdtls "crypto/tls"

// These are for the external tests of the package, which use wsi and sim.
var (
	Pattern = pattern
	Suites  = suites[:]
)

// ServerForTests returns a server configuration that ClientForTests trusts.
func ServerForTests() ServerConfig {
	return ServerConfig{Certificates: []stdtls.Certificate{example()}, ALPN: []string{"echo"}}
}

// ClientForTests returns a client configuration that trusts ServerForTests.
func ClientForTests() ClientConfig {
	return ClientConfig{Name: "example.test", Store: testCA().store(), ALPN: []string{"echo"}}
}

// Today is a time at which the certificates of both are valid.
var Today = today

// SetRecordLimit sets after how many records keys are replaced.
func (sh *Shared) SetRecordLimit(n uint64) { sh.limit = n }
