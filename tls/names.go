package tls

import (
	"fmt"

	stdtls "crypto/tls"
)

// ParseVersion accepts "1.2", "1.3", and "", which is the default 0. Older versions are not supported.
func ParseVersion(name string) (uint16, error) {
	switch name {
	case "":
		return 0, nil
	case "1.2":
		return stdtls.VersionTLS12, nil
	case "1.3":
		return stdtls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("tls: parse version: %q: it is neither 1.2 nor 1.3", name)
}

var groups = [...]struct {
	name string
	id   stdtls.CurveID
}{
	{"X25519MLKEM768", stdtls.X25519MLKEM768},
	{"SecP256r1MLKEM768", stdtls.SecP256r1MLKEM768},
	{"SecP384r1MLKEM1024", stdtls.SecP384r1MLKEM1024},
	{"X25519", stdtls.X25519},
	{"P-256", stdtls.CurveP256},
	{"P-384", stdtls.CurveP384},
	{"P-521", stdtls.CurveP521},
}

// ParseGroup accepts the names that GroupName returns.
func ParseGroup(name string) (stdtls.CurveID, error) {
	for _, g := range groups {
		if g.name == name {
			return g.id, nil
		}
	}
	return 0, fmt.Errorf("tls: parse group: %q is unknown", name)
}

// GroupName returns the name of a key exchange for policies and reports.
func GroupName(id stdtls.CurveID) string {
	for _, g := range groups {
		if g.id == id {
			return g.name
		}
	}
	return fmt.Sprintf("group %d", uint16(id))
}
