package gen

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Request is what every HTTP client of the benchmarks sends: a small GET with the fields that curl
// sends. The limit server relies on its length.
const Request = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

// Body is the body of every HTTP server's response.
const Body = "Hello, World!\n"

const probeTimeout = 5 * time.Second

// Answer describes a server's response to Request.
type Answer struct {
	Size   int    // bytes, header and body
	Server string // its Server field, empty without one
}

// Probe sends two requests over one connection and checks the responses completely, so that a
// measurement may count bytes: 200, Body, Content-Length, Content-Type and Date, kept alive, the same
// size both times. With roots it uses TLS 1.3, and verifies the certificate.
func Probe(addr netip.AddrPort, roots *x509.CertPool) (Answer, error) {
	a, err := probe(addr, roots)
	if err != nil {
		return Answer{}, fmt.Errorf("gen: probe: %v: %w", addr, err)
	}
	return a, nil
}

func probe(addr netip.AddrPort, roots *x509.CertPool) (Answer, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), probeTimeout)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(probeTimeout)); err != nil {
		return Answer{}, err
	}
	if roots != nil {
		c := clientTLS(nil)
		c.InsecureSkipVerify, c.RootCAs, c.ServerName = false, roots, addr.Addr().String()
		conn = tls.Client(conn, c)
	}
	var seen bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &seen))
	var sizes [2]int
	var server string
	for i := range sizes {
		if _, err := io.WriteString(conn, Request); err != nil {
			return Answer{}, err
		}
		before := seen.Len()
		if server, err = checkAnswer(r); err != nil {
			return Answer{}, fmt.Errorf("response %d: %w: %q", i+1, err, seen.Bytes()[before:])
		}
		if r.Buffered() != 0 {
			return Answer{}, fmt.Errorf("response %d: %d bytes too many: %q", i+1, r.Buffered(), seen.Bytes()[before:])
		}
		sizes[i] = seen.Len() - before
	}
	if sizes[0] != sizes[1] {
		return Answer{}, fmt.Errorf("two responses of different sizes, %d and %d: %q", sizes[0], sizes[1], seen.Bytes())
	}
	return Answer{Size: sizes[0], Server: server}, nil
}

// checkAnswer reads one response and returns its Server field.
func checkAnswer(r *bufio.Reader) (server string, err error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.Close {
		return "", errors.New("it closes the connection")
	}
	return resp.Header.Get("Server"), checkFields(resp, string(body))
}

// checkFields checks what the responses of all servers must have in common.
func checkFields(resp *http.Response, body string) error {
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("got status %d, want 200", resp.StatusCode)
	case body != Body:
		return fmt.Errorf("got body %q, want %q", body, Body)
	case resp.ContentLength != int64(len(Body)):
		return errors.New("no Content-Length")
	case resp.Header.Get("Content-Type") == "":
		return errors.New("no Content-Type")
	case resp.Header.Get("Date") == "":
		return errors.New("no Date")
	}
	return nil
}
