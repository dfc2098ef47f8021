package main

import (
	"fmt"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/tls"
)

// reload reads the policy file again and gives the listener the certificate that its stream type names now.
// It blocks on files, and is called away from the loop. Whatever is wrong, the present certificate stays.
func (sv *service) reload(o *serveFlags) {
	failed := func(err error) { sv.house.log.Error("the certificate stays: reload failed", "err", err) }
	cert, err := readCertificate(o.policy, o.stream)
	if err != nil {
		failed(err)
		return
	}
	sv.house.post(func() {
		if err := sv.listener.SetCertificates([]stdtls.Certificate{cert}); err != nil {
			failed(err)
			return
		}
		// A warning is what is shown without -v too: who sent the signal wants to know.
		sv.house.log.Warn("certificate reloaded", "stream", o.stream, "subject", cert.Leaf.Subject.String(),
			"serial", fmt.Sprintf("%x", cert.Leaf.SerialNumber), "until", cert.Leaf.NotAfter)
	})
}

// readCertificate returns what the stream type of the policy in a file shows to its clients.
func readCertificate(file, stream string) (c stdtls.Certificate, err error) {
	p, err := readPolicy(file)
	if err != nil {
		return c, err
	}
	s := p.Stream(stream)
	if s == nil || s.ServerCert == nil || s.ServerKey == nil {
		return c, fmt.Errorf("the policy in %s has no stream type %q with \"server_cert\" and \"server_key\"", file, stream)
	}
	c, err = tls.ParseCertificate(s.ServerCert.DER, s.ServerKey.DER)
	if err != nil {
		return c, fmt.Errorf("server_cert %q, server_key %q: %w", s.ServerCert.Name, s.ServerKey.Name, err)
	}
	return c, nil
}
