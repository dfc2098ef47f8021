package ss_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log"
	"math/big"
	"net"
	"time"

	"github.com/millrace/millrace/ss"
)

// selfSigned makes a certificate for 10.0.0.1, and returns its DER as base64 too, as a policy has it.
func selfSigned(serial int64) (tls.Certificate, string) {
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
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, base64.StdEncoding.EncodeToString(der)
}

// A TLS server gets another certificate while it runs. Connections to come show the new one.
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
	client := func(h *ss.Handle) ss.Stream {
		h.Connect()
		return &ss.Collector{Done: func(h *ss.Handle, body []byte, err error) ss.Ret {
			s, _ := h.TLS()
			if err != nil {
				fmt.Println(err)
				return stop(h)
			}
			fmt.Printf("%s, certificate %v\n", body, s.Chain[0].SerialNumber)
			if s.Chain[0].SerialNumber.Int64() == 2 {
				return stop(h)
			}
			if err := listener.SetCertificates([]tls.Certificate{renewed}); err != nil {
				log.Fatal(err)
			}
			h.After(time.Minute, func() { h.Connect() }) // the first connection is gone by then
			return ss.OK
		}}
	}
	err := ss.Run(context.Background(), simulated(doc),
		ss.Info{StreamType: "web", New: web, Certificates: []tls.Certificate{old}}, ss.Info{StreamType: "client", New: client})
	fmt.Println(err)
	// Output:
	// hello, certificate 1
	// hello, certificate 2
	// <nil>
}
