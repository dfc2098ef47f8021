package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

// credential is a certificate and its key, as base64 DER and as JSON strings of PEM.
type credential struct {
	cert, key       string
	pemCert, pemKey string
}

func newCredential() credential {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &k.PublicKey, k)
	if err != nil {
		panic(err)
	}
	key, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		panic(err)
	}
	return credential{base64.StdEncoding.EncodeToString(der), base64.StdEncoding.EncodeToString(key),
		pemString("CERTIFICATE", der), pemString("EC PRIVATE KEY", key)}
}

// pemString is a JSON string of a PEM block, without its quotes.
func pemString(kind string, der []byte) string {
	b, _ := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	return string(b[1 : len(b)-1])
}

var (
	testCert  = sync.OnceValue(newCredential)
	otherCert = sync.OnceValue(newCredential)
)

func TestCertForms(t *testing.T) {
	a, b := testCert(), otherCert()
	der := func(base string) string { d, _ := base64.StdEncoding.DecodeString(base); return string(d) }
	params := pemString("EC PARAMETERS", []byte{6, 0})
	for value, want := range map[string]string{
		a.cert:                               der(a.cert),
		a.pemCert:                            der(a.cert),
		`A chain:\n` + a.pemCert + b.pemCert: der(a.cert) + der(b.cert),
		a.pemKey:                             der(a.key),
		params + a.pemKey:                    der(a.key),
		strings.ReplaceAll(a.pemCert, `\n`, `\r\n`): der(a.cert),
	} {
		p, err := Parse([]byte(`{"certs":[{"c":"` + value + `"}]}`))
		if err != nil {
			t.Errorf("%.60s: %v", value, err)
		} else if got := string(p.Certs[0].DER); got != want {
			t.Errorf("%.60s: got %d bytes, want %d, or they differ", value, len(got), len(want))
		}
	}
}

func TestCertMistakes(t *testing.T) {
	a, b := testCert(), otherCert()
	const fix = ": give certificates, or one private key without a password"
	for value, want := range map[string]string{
		"!!!!":                              "1:16: certs[0].c: not base64: illegal base64 data at input byte 0: give PEM, or the text between its BEGIN and END lines",
		strings.Repeat("QUFB", maxCert/3+1): "1:16: certs[0].c: a certificate of 65538 bytes: 1 to 65536 are possible",
		`-----BEGIN CERTIFICATE-----`:       "1:16: certs[0].c: bad PEM: a block that does not end" + fix,
		a.pemCert + `-----BEGIN CERTIFICATE-----\nAAAA`: "1:16: certs[0].c: bad PEM: a block that does not end" + fix,
		a.pemCert + a.pemKey:                            "1:16: certs[0].c: bad PEM: a key and something else in one entry" + fix,
		a.pemKey + b.pemKey:                             "1:16: certs[0].c: bad PEM: a key and something else in one entry" + fix,
		pemString("ENCRYPTED PRIVATE KEY", []byte{1}):   "1:16: certs[0].c: bad PEM: the key is encrypted" + fix,
		pemString("X509 CRL", []byte{1}):                `1:16: certs[0].c: bad PEM: a block of type "X509 CRL"` + fix,
		`AAAA","c":"AAAA`:                               "1:23: certs[0].c: duplicate certificate, first defined at 1:12: rename or remove one of them",
	} {
		_, err := Parse([]byte(`{"certs":[{"c":"` + value + `"}]}`))
		if err == nil || err.Error() != "policy: parse: "+want {
			t.Errorf("%.60s:\n got %v\nwant policy: parse: %s", value, err, want)
		}
	}
}

// TestSharedCertificate: one certificate may serve several listeners.
func TestSharedCertificate(t *testing.T) {
	a := testCert()
	p, err := Parse(fmt.Appendf(nil, `{"certs":[{"c":"%s"},{"k":"%s"}],"s":[
		{"a":{"server":true,"port":1,"tls":true,"server_cert":"c","server_key":"k"}},
		{"b":{"server":true,"port":2,"tls":true,"server_cert":"c","server_key":"k"}}]}`, a.cert, a.key))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := p.Stream("a"), p.Stream("b"); a.ServerCerts[0] != p.Certs[0] || b.ServerCerts[0] != p.Certs[0] || b.ServerKeys[0] != p.Certs[1] {
		t.Errorf("got certificates %v and %v, want the same for both", a.ServerCerts[0], b.ServerCerts[0])
	}
}

// Certificates and keys of TLS servers must match, and problems have their position.
func TestServerCredentials(t *testing.T) {
	a, b := testCert(), otherCert()
	head := fmt.Sprintf(`{"certs":[{"a":"%s"},{"a_key":"%s"},{"b":"%s%s"},{"b_key":"%s"},{"junk":"AAAA"}],`+"\n",
		a.cert, a.key, b.pemCert, a.pemCert, b.pemKey)
	for members, want := range map[string]string{
		`"tls":true,"server_cert":"a","server_key":"a_key"`:                     "",
		`"tls":true,"server_cert":["a"],"server_key":"a_key"`:                   "",
		`"tls":true,"server_cert":["a","b"],"server_key":["a_key","b_key"]`:     "",
		`"tls":true,"server_cert":["a","b"]`:                                    "",
		`"tls":false,"server_cert":"junk","server_key":"junk"`:                  "", // not used without TLS
		`"server_cert":"a","server_key":"a_key"`:                                `2:35: s[0].a.server_cert: has no effect without TLS: the stream type would send clear text: set "tls": true, or remove server_cert`,
		`"tls":true,"server_cert":"a","server_key":"b_key"`:                     `2:77: s[0].a.server_key: "b_key" is not the key of "a": private key does not match public key: name the key that belongs to it; one with a password cannot be used`,
		`"tls":true,"server_cert":["a","b"],"server_key":["b_key","b_key"]`:     `2:84: s[0].a.server_key[0]: "b_key" is not the key of "a": private key does not match`,
		`"tls":true,"server_cert":["a","b"],"server_key":["a_key","a_key"]`:     `2:92: s[0].a.server_key[1]: "a_key" is not the key of "b": private key does not match`,
		`"tls":true,"server_cert":"junk","server_key":"a_key"`:                  `2:60: s[0].a.server_cert: "junk" is not a certificate: x509: `,
		`"tls":true,"server_cert":"a","server_key":"junk"`:                      `2:77: s[0].a.server_key: "junk" is not the key of "a": failed to parse private key`,
		`"tls":true,"server_cert":["a","a_key"],"server_key":["a_key","a_key"]`: `2:65: s[0].a.server_cert[1]: "a_key" is not a certificate: x509: `,
		`"tls":true,"server_cert":["a","b"],"server_key":"a_key"`:               `2:83: s[0].a.server_key: 1 for 2 in server_cert: name a key for every certificate, in the same order`,
		`"tls":true,"server_cert":"a","server_key":["a_key","b_key"]`:           `2:77: s[0].a.server_key: 2 for 1 in server_cert: name a key for every certificate, in the same order`,
		`"tls":true,"server_cert":["a","c"],"server_key":["a_key","b_key"]`:     `2:65: s[0].a.server_cert[1]: no certificate is called "c"`,
		`"tls":true,"server_cert":[],"server_key":"a_key"`:                      `2:60: s[0].a.server_cert: 0 names: 1 to 32 are possible`,
		`"tls":true,"server_cert":{"a":"a_key"},"server_key":"a_key"`:           `2:60: s[0].a.server_cert: wants a name, or an array of names, got an object: put [ ] around it`,
	} {
		p, err := Parse([]byte(head + `"s":[{"a":{"server":true,"port":1,` + members + `}}]}`))
		switch {
		case want == "" && err != nil:
			t.Errorf("{%s}: got %v, want it accepted", members, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), "policy: parse: "+want)):
			t.Errorf("{%s}:\n got %v\nwant policy: parse: %s", members, err, want)
		case want == "" && p.Stream("a").Given("tls") && len(p.Stream("a").ServerCerts) != 1+strings.Count(members, `"b"`):
			t.Errorf("{%s}: got %d certificates", members, len(p.Stream("a").ServerCerts))
		}
	}
}
