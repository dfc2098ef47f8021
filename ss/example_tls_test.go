package ss_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log"
	"math/big"
	"net"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/tls"
)

// selfSigned makes a certificate for 10.0.0.1, and returns its DER as base64 as well, for a policy.
func selfSigned(serial int64) (stdtls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, base64.StdEncoding.EncodeToString(der)
}

// A TLS server changes its certificate while it runs. A client that resumes its session (RFC 8446 s.2.2) receives no
// certificate: State.Chain is still that of its full handshake. New ticket keys make it do a full handshake.
func ExampleHandle_SetCertificates() {
	old, oldText := selfSigned(1)
	renewed, renewedText := selfSigned(2)
	doc := fmt.Sprintf(`{"certs": [{"old": %q}, {"renewed": %q}], "trust_stores": [{"both": ["old", "renewed"]}], "s": [
		{"web": {"server": true, "endpoint": "10.0.0.1", "port": 443, "protocol": "h2", "tls": true}},
		{"client": {"endpoint": "10.0.0.1", "port": 443, "protocol": "h2", "tls": true, "tls_trust_store": "both", "http_url": "/"}}]}`, oldText, renewedText)

	var r ss.Router
	r.HandleFunc("GET /", func(h *ss.Handle) ss.Ret { return ss.Reply(h, 200, "text/plain", []byte("hello")) })
	var listener *ss.Handle
	web := func(h *ss.Handle) ss.Stream {
		if h.Server() == nil {
			listener = h
		}
		return r.New(h)
	}
	answers := 0
	client := func(h *ss.Handle) ss.Stream {
		h.Connect()
		return &ss.Collector{Done: func(h *ss.Handle, body []byte, err error) ss.Ret {
			if err != nil {
				fmt.Println(err)
				return stop(h)
			}
			s, _ := h.TLS()
			fmt.Printf("%s, certificate %v, resumed %v\n", body, s.Chain[0].SerialNumber, s.Resumed)
			switch answers++; answers {
			case 1:
				err = listener.SetCertificates([]stdtls.Certificate{renewed})
			case 2:
				var keys *tls.TicketKeys
				keys, err = keys.Rotate(rand.Reader)
				h.Runtime().SetTicketKeys(keys)
			case 3:
				return stop(h)
			}
			if err != nil {
				log.Fatal(err)
			}
			h.After(time.Minute, func() { h.Connect() }) // the present connection is closed by then
			return ss.OK
		}}
	}
	err := ss.Run(context.Background(), simulated(doc),
		ss.Info{StreamType: "web", New: web, Certificates: []stdtls.Certificate{old}}, ss.Info{StreamType: "client", New: client})
	fmt.Println(err)
	// Output:
	// hello, certificate 1, resumed false
	// hello, certificate 1, resumed true
	// hello, certificate 2, resumed false
	// <nil>
}
