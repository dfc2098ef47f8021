package gen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// probeSizes are the messages of ProbeWS: a header of each length that the suites use, at both ends of the
// shorter's range, and what is longer than anybody's buffer.
var probeSizes = []int{1, 64, 125, 126, 16 << 10, 65535}

// ProbeWS checks that a server echoes WebSocket messages, whole, also when their frames come in pieces. With roots
// it does so over TLS 1.3, and checks the certificate.
func ProbeWS(addr netip.AddrPort, roots *x509.CertPool) error {
	conn, err := net.DialTimeout("tcp", addr.String(), probeTimeout)
	if err != nil {
		return fmt.Errorf("gen: probe: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(probeTimeout)); err != nil {
		return fmt.Errorf("gen: probe: %w", err)
	}
	if roots != nil {
		c := clientTLS(nil)
		c.InsecureSkipVerify, c.RootCAs, c.ServerName = false, roots, addr.Addr().String()
		conn = tls.Client(conn, c)
	}
	if err := upgrade(conn); err != nil {
		return fmt.Errorf("gen: probe: upgrade to a WebSocket: %v: %w", addr, err)
	}
	var h hearing
	for i, size := range probeSizes {
		u := utter(size, uint32(i))
		for _, cut := range []int{len(u.frame), 1, 5, 7} { // all at once; inside of the header, the key, the payload
			if err := probeEcho(conn, &h, u, min(cut, len(u.frame))); err != nil {
				return fmt.Errorf("gen: probe: %v: message of %d octets, cut behind %d of its frame: %w", addr, size, cut, err)
			}
		}
	}
	return nil
}

// probeEcho sends a message in two pieces and reads its echo.
func probeEcho(conn net.Conn, h *hearing, u utterance, cut int) error {
	if _, err := conn.Write(u.frame[:cut]); err != nil {
		return err
	}
	if cut < len(u.frame) {
		time.Sleep(time.Millisecond) // so that they arrive as two, most of the time
		if _, err := conn.Write(u.frame[cut:]); err != nil {
			return err
		}
	}
	var got []byte
	done := false
	for buf := make([]byte, 4096); !done; {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("after %d octets of its echo: %w", len(got), err)
		}
		err = h.hear(buf[:n], func(b []byte, last bool) error {
			if done {
				return fmt.Errorf("%d octets behind the echo: %.100q", len(b), b)
			}
			got, done = append(got, b...), last
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !bytes.Equal(got, u.payload) {
		return fmt.Errorf("its echo is not what was sent: %d octets, %.100q", len(got), got)
	}
	return nil
}
