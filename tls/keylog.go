package tls

import (
	"bytes"
	"encoding/hex"
	"errors"
)

// secrets are the traffic secrets of a handshake, taken from the key log.
type secrets struct {
	handshake, client, server [maxSecret]byte
	have                      uint8 // bits by label
	n                         int   // length
}

const (
	haveHandshake = 1 << iota // SERVER_HANDSHAKE_TRAFFIC_SECRET
	haveClient                // CLIENT_TRAFFIC_SECRET_0
	haveServer                // SERVER_TRAFFIC_SECRET_0
)

// keyLog is the KeyLogWriter of the servers of a loop. It writes no file: it stores the secrets in the handshake
// whose coroutine runs. There is exactly one, since the loop has one thread, and crypto/tls writes during the
// handshake without yielding.
type keyLog struct{ sh *Shared }

var errKeyLog = errors.New("secrets without a handshake")

// Write parses one line of the key log format: label, client random, secret.
func (k *keyLog) Write(line []byte) (int, error) {
	h := k.sh.serving
	if h == nil {
		return 0, errKeyLog
	}
	label, rest, _ := bytes.Cut(line, []byte(" "))
	_, text, _ := bytes.Cut(rest, []byte(" "))
	text = bytes.TrimRight(text, "\n")
	var dst *[maxSecret]byte
	var bit uint8
	switch string(label) {
	case "SERVER_HANDSHAKE_TRAFFIC_SECRET":
		dst, bit = &h.secrets.handshake, haveHandshake
	case "CLIENT_TRAFFIC_SECRET_0":
		dst, bit = &h.secrets.client, haveClient
	case "SERVER_TRAFFIC_SECRET_0":
		dst, bit = &h.secrets.server, haveServer
	default:
		return len(line), nil
	}
	if h.secrets.have&bit != 0 || hex.DecodedLen(len(text)) > maxSecret {
		return 0, errKeyLog
	}
	n, err := hex.Decode(dst[:], text)
	if err != nil {
		return 0, errKeyLog
	}
	h.secrets.have |= bit
	h.secrets.n = n
	return len(line), nil
}
