package policy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"
)

const (
	// maxCert is the most DER of one entry. A chain of today's is 3 to 6 KB; one with post-quantum signatures 60.
	maxCert = 64 << 10

	// maxCertText is the most text of one entry: base64 of maxCert with line ends, and room for what PEM has
	// around it. More is not decoded.
	maxCertText = 2 * maxCert

	// maxBlocks is the most blocks of PEM in one entry.
	maxBlocks = 32

	// maxKey is the most DER of a key that a server uses. RSA with 8192 bits, the longest in TLS, has 4.7 KB,
	// and what checking costs grows with the square.
	maxKey = 8 << 10

	// maxPairing is the largest number of bytes of DER that are parsed in one document to check that certificates and
	// keys match, about a hundred pairs. The others are checked when their server is created.
	maxPairing = 256 << 10
)

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
		c.work += len(text) / 64
		if len(text) > maxCertText {
			c.bad(fmt.Sprintf("%d bytes of text for a certificate", len(text)), fmt.Sprintf("%d are possible", maxCertText))
			return
		}
		if bytes.Contains(text, []byte("-----BEGIN")) {
			der, err := unPEM(text)
			if err != nil {
				c.bad("bad PEM: "+err.Error(), "give certificates, or one private key without a password")
				return
			}
			cert.DER = der
		} else {
			der, err := base64.StdEncoding.AppendDecode(nil, text)
			if err != nil {
				c.bad("not base64: "+err.Error(), "give PEM, or the text between its BEGIN and END lines")
				return
			}
			cert.DER = der
		}
		if n := len(cert.DER); n == 0 || n > maxCert {
			c.bad(fmt.Sprintf("a certificate of %d bytes", n), fmt.Sprintf("1 to %d are possible", maxCert))
		}
	})
}

// unPEM returns the DER of a PEM text: of its certificates, concatenated, or of its only key. It skips text between blocks
// and the parameters that openssl writes before a key.
func unPEM(text []byte) (der []byte, err error) {
	certs, keys := 0, 0
	for n := 0; ; n++ {
		if n > maxBlocks {
			return nil, fmt.Errorf("more than %d blocks", maxBlocks)
		}
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
	case bytes.Contains(text, []byte("-----BEGIN")):
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
// reported by CheckReady, since an overlay may add it.
func (c *checker) credentials(s *Stream, o *fastjson.Object, m *members) {
	cert, key := streamKeys.find("server_cert"), streamKeys.find("server_key")
	if !m.given.has(cert) || !m.given.has(key) {
		return
	}
	certs, keys := o.Get(m.name[cert]), o.Get(m.name[key])
	if n, k := refs(certs), refs(keys); n != k && n > 0 && k > 0 {
		c.disagree(m, "server_key", fmt.Sprintf("%d for %d in server_cert", k, n), "name a key for every certificate, in the same order")
		return
	}
	if !s.TLS || len(s.ServerCerts) != refs(certs) || len(s.ServerKeys) != refs(keys) {
		return
	}
	for i := range s.ServerCerts {
		row, msg, fix := c.pair(s.ServerCerts[i], s.ServerKeys[i])
		if msg == "" {
			continue
		}
		v, at := certs, cert
		if row == "server_key" {
			v, at = keys, key
		}
		c.atMember(m, at, func() {
			if v.Type() == fastjson.TypeArray {
				c.enterElement(i)
				defer c.leave()
			}
			c.bad(msg, fix)
		})
	}
}

// pairing is a certificate and the key that should be its.
type pairing struct{ cert, key *Cert }

// verdict is the problem of a pairing, and the key of the document that has it.
type verdict struct{ row, msg, fix string }

// pair returns the problem of a certificate and its key, and which of the two has it; msg is "" if there is none. Each pair
// is checked once, since many servers may use it.
func (c *checker) pair(cert, key *Cert) (row, msg, fix string) {
	if cert.DER == nil || key.DER == nil {
		return "", "", ""
	}
	v, known := c.pairs[pairing{cert, key}]
	size := len(cert.DER) + len(key.DER)
	if !known && c.paired+size <= maxPairing {
		c.paired += size
		c.work += size
		v = checkPair(cert, key)
		if c.pairs == nil {
			c.pairs = make(map[pairing]verdict)
		}
		c.pairs[pairing{cert, key}] = v
	}
	return v.row, v.msg, v.fix
}

func checkPair(cert, key *Cert) verdict {
	if len(key.DER) > maxKey {
		return verdict{"server_key", fmt.Sprintf("%s is a key of %d bytes", quote(key.Name), len(key.DER)), fmt.Sprintf("%d are possible", maxKey)}
	}
	chain, err := x509.ParseCertificates(cert.DER)
	if err != nil {
		return verdict{"server_cert", quote(cert.Name) + " is not a certificate: " + err.Error(), ""}
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	if _, err := tls.X509KeyPair(block("CERTIFICATE", chain[0].Raw), block("PRIVATE KEY", key.DER)); err != nil {
		return verdict{"server_key", quote(key.Name) + " is not the key of " + quote(cert.Name) + ": " + strings.TrimPrefix(err.Error(), "tls: "),
			"name the key that belongs to it; one with a password cannot be used"}
	}
	return verdict{}
}

// refs returns the number of names in the value of a kindRefs.
func refs(v *fastjson.Value) int {
	if v.Type() == fastjson.TypeArray {
		return len(v.GetArray())
	}
	return 1
}
