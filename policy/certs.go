package policy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"
)

// maxCert is the most DER of one entry. A chain of today's is 3 to 6 KB; one with post-quantum signatures 60.
const maxCert = 64 << 10

func (c *checker) certSection(v *fastjson.Value) {
	c.members(v, "an array of certificates, each {name: base64 or PEM}", func(name string, v *fastjson.Value) {
		c.name(name)
		cert := &Cert{Name: name}
		c.certs.define(c, "certificate", name, cert)
		c.policy.Certs = append(c.policy.Certs, cert)
		if v.Type() != fastjson.TypeString {
			c.bad("wants base64 or PEM of a certificate, got "+describe(v), "")
			return
		}
		text := v.GetStringBytes()
		if strings.Contains(string(text), "-----BEGIN") {
			der, err := unPEM(text)
			if err != nil {
				c.bad("bad PEM: "+err.Error(), "give certificates, or one private key without a password")
				return
			}
			cert.DER = der
		} else {
			der, err := base64.StdEncoding.AppendDecode(nil, text)
			if err != nil {
				c.bad("not base64: "+err.Error(), "give PEM, or what stands between its BEGIN and END lines")
				return
			}
			cert.DER = der
		}
		if n := len(cert.DER); n == 0 || n > maxCert {
			c.bad(fmt.Sprintf("a certificate of %d bytes", n), fmt.Sprintf("1 to %d are possible", maxCert))
		}
	})
}

// unPEM returns the DER of PEM: that of its certificates, one behind the other, or of its one key. What
// stands between blocks is passed over, and so are the parameters that openssl puts in front of a key.
func unPEM(text []byte) (der []byte, err error) {
	certs, keys := 0, 0
	for {
		b, rest := pem.Decode(text)
		if b == nil {
			break
		}
		text = rest
		switch {
		case b.Type == "CERTIFICATE":
			certs++
			der = append(der, b.Bytes...)
		case b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "":
			return nil, errors.New("the key is encrypted")
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			keys++
			der = append(der, b.Bytes...)
		case strings.HasSuffix(b.Type, "PARAMETERS"):
		default:
			return nil, fmt.Errorf("a block of type %s", quote(b.Type))
		}
	}
	switch {
	case strings.Contains(string(text), "-----BEGIN"):
		return nil, errors.New("a block that does not end")
	case keys > 1 || keys == 1 && certs > 0:
		return nil, errors.New("a key and something else in one entry")
	}
	return der, nil
}

// stack reads the certificate names of a trust store.
func (c *checker) stack(v *fastjson.Value) []*Cert {
	list := c.array(v, "an array of certificate names")
	if n := len(list); v.Type() == fastjson.TypeArray && (n == 0 || n > maxStack) {
		c.bad(fmt.Sprintf("a trust store of %d certificates", n), fmt.Sprintf("1 to %d are possible", maxStack))
		return nil
	}
	return c.certRefs(v)
}

// certRefs reads a name of the certs section, or an array of them. What is not defined is reported, and left
// out.
func (c *checker) certRefs(v *fastjson.Value) (list []*Cert) {
	one := func(e *fastjson.Value) {
		if e.Type() != fastjson.TypeString {
			c.bad("wants the name of a certificate, got "+describe(e), "")
		} else if cert := resolve(c, &c.certs, "certificate", "certs", string(e.GetStringBytes())); cert != nil {
			list = append(list, cert)
		}
	}
	if v.Type() == fastjson.TypeArray {
		c.elements(v.GetArray(), one)
	} else {
		one(v)
	}
	return list
}

// credentials checks that certificates and keys of a TLS server belong together. One that lacks either is
// judged by CheckReady, since an overlay may add it.
func (c *checker) credentials(s *Stream, o *fastjson.Object) {
	certs, keys := o.Get("server_cert"), o.Get("server_key")
	if certs == nil || keys == nil {
		return
	}
	if n, k := refs(certs), refs(keys); n != k && n > 0 && k > 0 {
		c.disagree(o, "server_key", fmt.Sprintf("%d for %d in server_cert", k, n), "name a key for every certificate, in the same order")
		return
	}
	if !s.TLS || len(s.ServerCerts) != refs(certs) || len(s.ServerKeys) != refs(keys) {
		return
	}
	for i, cert := range s.ServerCerts {
		key := s.ServerKeys[i]
		if cert.DER == nil || key.DER == nil {
			continue
		}
		at := func(name string, msg, fix string) {
			standAt(c, streamKeys, o, streamKeys.find(name), func() {
				if o.Get(name).Type() == fastjson.TypeArray {
					c.enterElement(i)
					defer c.leave()
				}
				c.bad(msg, fix)
			})
		}
		chain, err := x509.ParseCertificates(cert.DER)
		if err != nil {
			at("server_cert", quote(cert.Name)+" is no certificate: "+err.Error(), "")
			continue
		}
		block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
		if _, err := tls.X509KeyPair(block("CERTIFICATE", chain[0].Raw), block("PRIVATE KEY", key.DER)); err != nil {
			at("server_key", quote(key.Name)+" is not the key of "+quote(cert.Name)+": "+strings.TrimPrefix(err.Error(), "tls: "),
				"name the key that belongs to it; one with a password cannot be used")
		}
	}
}

// refs is how many names stand in the value of a kindRefs.
func refs(v *fastjson.Value) int {
	if v.Type() == fastjson.TypeArray {
		return len(v.GetArray())
	}
	return 1
}
