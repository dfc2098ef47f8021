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
// shorter one's range, and a message that is longer than every buffer.
var probeSizes = []int{1, 64, 125, 126, 16 << 10, 65535}

// ProbeWS checks that a server echoes complete WebSocket messages, also when their frames arrive in pieces. With roots
// it uses TLS 1.3, and verifies the certificate.
func ProbeWS(addr netip.AddrPort, roots *x509.CertPool) error {
	conn, err := dialProbe(addr, roots)
	if err != nil {
		return fmt.Errorf("gen: probe: %v: %w", addr, err)
	}
	defer conn.Close()
	var h frameParser
	for i, size := range probeSizes {
		u := newMessage(size, uint32(i))
		for _, cut := range []int{len(u.frame), 1, 5, 7} { // whole; cut in the header, the key, the payload
			if err := probeEcho(conn, &h, u, min(cut, len(u.frame))); err != nil {
				return fmt.Errorf("gen: probe: %v: message of %d octets, cut after octet %d of its frame: %w", addr, size, cut, err)
			}
		}
	}
	return nil
}

// dialProbe opens a WebSocket.
func dialProbe(addr netip.AddrPort, roots *x509.CertPool) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), probeTimeout)
	if err != nil {
		return nil, err
	}
	if err = conn.SetDeadline(time.Now().Add(probeTimeout)); err == nil {
		if roots != nil {
			c := clientTLS(nil)
			c.InsecureSkipVerify, c.RootCAs, c.ServerName = false, roots, addr.Addr().String()
			conn = tls.Client(conn, c)
		}
		err = upgrade(conn)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("upgrade to a WebSocket: %w", err)
	}
	return conn, nil
}

// ProbeFan checks that a server sends published messages to its subscribers, and only to them.
func ProbeFan(addr netip.AddrPort) error {
	if err := probeFan(addr); err != nil {
		return fmt.Errorf("gen: probe: %v: %w", addr, err)
	}
	return nil
}

func probeFan(addr netip.AddrPort) error {
	var members [3]struct {
		net.Conn
		frameParser
	}
	for i := range members {
		m := &members[i]
		var err error
		if m.Conn, err = dialProbe(addr, nil); err != nil {
			return err
		}
		defer m.Close()
		// Before it subscribes, only the confirmation may arrive.
		if err := probeEcho(m, &m.frameParser, newMessage(1, uint32(i)), 6); err != nil {
			return fmt.Errorf("subscription %d: %w", i, err)
		}
		u := newMessage(500+i, uint32(i))
		if _, err := m.Write(u.frame); err != nil {
			return err
		}
		for j := range i + 1 {
			if err := probeMessage(members[j], &members[j].frameParser, u); err != nil {
				return fmt.Errorf("message %d to subscriber %d: %w", i, j, err)
			}
		}
	}
	return nil
}

// probeEcho sends a message in two pieces and reads its echo.
func probeEcho(conn net.Conn, h *frameParser, u wsMessage, cut int) error {
	if _, err := conn.Write(u.frame[:cut]); err != nil {
		return err
	}
	if cut < len(u.frame) {
		time.Sleep(time.Millisecond) // so that they usually arrive separately
		if _, err := conn.Write(u.frame[cut:]); err != nil {
			return err
		}
	}
	return probeMessage(conn, h, u)
}

// probeMessage reads a message.
func probeMessage(conn net.Conn, h *frameParser, u wsMessage) error {
	var got []byte
	done := false
	for buf := make([]byte, 4096); !done; {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("after %d octets of the expected message: %w", len(got), err)
		}
		err = h.parse(buf[:n], func(b []byte, last bool) error {
			if done {
				return fmt.Errorf("%d octets after the message: %.100q", len(b), b)
			}
			got, done = append(got, b...), last
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !bytes.Equal(got, u.payload) {
		return fmt.Errorf("received another message than sent: %d octets, %.100q", len(got), got)
	}
	return nil
}
