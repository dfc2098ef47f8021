package ss

import (
	"errors"
	"fmt"
)

// BlobID names a system blob: a value that belongs to the device and not to one stream, such as its
// serial number. Policies refer to blobs; their values come from Config.Blobs.
type BlobID uint8

// The blobs. Most have one value, at index 0.
const (
	BlobAuth          BlobID = iota // index 0: the access token; 1: what a new one is asked for with
	BlobClientCertDER               // index: the policy's client_cert
	BlobClientKeyDER                // index: the policy's client_cert
	BlobDeviceSerial
	BlobFirmwareVersion
	BlobDeviceType
	BlobNTPServer
	BlobMQTTClientID
	BlobMQTTUsername
	BlobMQTTPassword
	BlobExtAuth1 // index 0: the key's id; 1: the secret. So with the three that follow
	BlobExtAuth2
	BlobExtAuth3
	BlobExtAuth4
	numBlobs
)

var blobNames = [numBlobs]string{
	"AUTH", "CLIENT_CERT_DER", "CLIENT_KEY_DER", "DEVICE_SERIAL", "FW_VERSION", "TYPE", "NTP_SERVER",
	"MQTT_CLIENT_ID", "MQTT_USERNAME", "MQTT_PASSWORD", "EXT_AUTH1", "EXT_AUTH2", "EXT_AUTH3", "EXT_AUTH4",
}

// String is the reference's name without its prefix, "FW_VERSION" say; "unknown" out of range.
func (id BlobID) String() string {
	if id < numBlobs {
		return blobNames[id]
	}
	return "unknown"
}

// Blobs gives the values of system blobs. It is asked on the loop's goroutine, anew each time a value is
// used, and must not block.
type Blobs interface {
	// Blob returns a value; ok is false when there is none, and an empty value counts as none. The
	// slice must hold still until the next call.
	Blob(id BlobID, index int) (value []byte, ok bool)
}

// BlobFunc is a function as Blobs.
type BlobFunc func(id BlobID, index int) ([]byte, bool)

// Blob implements Blobs.
func (f BlobFunc) Blob(id BlobID, index int) ([]byte, bool) { return f(id, index) }

// BlobMemory is Blobs kept in memory. The zero BlobMemory holds none. It is for one goroutine: the
// loop's, once a runtime uses it.
type BlobMemory struct {
	values map[blobKey][]byte
}

type blobKey struct {
	id    BlobID
	index int
}

// Blob implements Blobs.
func (m *BlobMemory) Blob(id BlobID, index int) ([]byte, bool) {
	v, ok := m.values[blobKey{id, index}]
	return v, ok
}

// Set gives a blob a value, which is copied. What was there is wiped; an empty value leaves none.
func (m *BlobMemory) Set(id BlobID, index int, value []byte) {
	clear(m.values[blobKey{id, index}])
	if len(value) == 0 {
		delete(m.values, blobKey{id, index})
		return
	}
	if m.values == nil {
		m.values = make(map[blobKey][]byte)
	}
	m.values[blobKey{id, index}] = append([]byte(nil), value...)
}

// ErrNoBlob: the policy refers to a system blob that has no value.
var ErrNoBlob = errors.New("there is no such system blob")

// BlobError is the Cause of UNREACHABLE when an attempt needed a blob that was not there, or could not be
// used. It tells nothing of the blob's value.
type BlobError struct {
	ID    BlobID
	Index int
	Key   string // of the policy, that refers to the blob
	Err   error  // ErrNoBlob, or what is wrong with the value
}

// Error implements error.
func (e *BlobError) Error() string {
	return fmt.Sprintf("system blob %v, index %d, for the policy's %s: %v", e.ID, e.Index, e.Key, e.Err)
}

// Unwrap implements errors.Is and errors.As.
func (e *BlobError) Unwrap() error { return e.Err }

// blob is the value of a blob that the policy's key refers to.
func (r *Runtime) blob(id BlobID, index int, key string) ([]byte, error) {
	if r.cfg.Blobs != nil {
		if v, ok := r.cfg.Blobs.Blob(id, index); ok && len(v) > 0 {
			return v, nil
		}
	}
	return nil, &BlobError{id, index, key, ErrNoBlob}
}
