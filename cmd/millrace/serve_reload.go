package main

import (
	"fmt"

	stdtls "crypto/tls"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// reload reads the certificates again, from --cert and --key or else from the policy file, and sets them on
// the listener. It blocks on files, so it is not called on the loop. After an error the present certificates stay.
func (sv *service) reload(o *serveFlags) {
	failed := func(err error) { sv.runner.log.Error("reload failed: the present certificate stays", "err", err) }
	read := func() ([]stdtls.Certificate, error) { return readCertificates("--cert", "--key", o.certs, o.keys) }
	if len(o.certs) == 0 {
		read = o.readNamed
	}
	certs, err := read()
	if err != nil {
		failed(err)
		return
	}
	sv.runner.post(func() {
		if err := sv.listener.SetCertificates(certs); err != nil {
			failed(err)
			return
		}
		for _, c := range certs {
			// A warning is shown without -v too: the sender of the signal needs the result.
			sv.runner.log.Warn("certificate reloaded", "stream", o.stream, "subject", roles.Plain(c.Leaf.Subject.String()),
				"serial", fmt.Sprintf("%x", c.Leaf.SerialNumber), "until", c.Leaf.NotAfter)
		}
	})
}

// readNamed returns the certificates of the stream type in the policy file.
func (o *serveFlags) readNamed() ([]stdtls.Certificate, error) {
	p, err := readPolicy(o.policy)
	if err != nil {
		return nil, err
	}
	s := p.Stream(o.stream)
	if s == nil || len(s.ServerCerts) == 0 {
		return nil, fmt.Errorf("the policy in %s has no stream type %q with \"server_cert\" and \"server_key\"", o.policy, o.stream)
	}
	return ss.Certificates(s)
}

// readCertificates returns the certificates of two flags, which name files pairwise.
func readCertificates(certFlag, keyFlag string, certs, keys []string) (list []stdtls.Certificate, err error) {
	if len(certs) != len(keys) {
		return nil, fmt.Errorf("%d times %s and %d times %s: every certificate needs its key, in the same order",
			len(certs), certFlag, len(keys), keyFlag)
	}
	for i := range certs {
		chain, err := readFile(certs[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", certFlag, err)
		}
		key, err := readFile(keys[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyFlag, err)
		}
		c, err := tls.ParseCertificate(chain, key)
		if err != nil {
			return nil, fmt.Errorf("%s %s, %s %s: %w", certFlag, certs[i], keyFlag, keys[i], err)
		}
		list = append(list, c)
	}
	return list, nil
}
