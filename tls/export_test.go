package tls

import stdtls "crypto/tls"

// What the tests outside of the package, which stand on wsi and sim, need of those inside.
var (
	Pattern = pattern
	Suites  = suites[:]
)

// LabServer and LabClient are configurations that trust each other.
func LabServer() ServerConfig {
	return ServerConfig{Certificates: []stdtls.Certificate{example()}, ALPN: []string{"echo"}}
}

// LabClient is LabServer's other half.
func LabClient() ClientConfig {
	return ClientConfig{Name: "example.test", Store: lab().store(), ALPN: []string{"echo"}}
}

// Today is a time at which both are valid.
var Today = today

// SetRecordLimit changes after how many records keys are replaced.
func (sh *Shared) SetRecordLimit(n uint64) { sh.limit = n }
