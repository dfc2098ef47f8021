package device

import (
	"errors"
	"fmt"
)

// BlobID names a system blob: a value that belongs to the device and not to one stream, such as its
// serial number. Policies refer to blobs; their values come from Blobs.
type BlobID uint8

// The blobs. Most have one value, at index 0.
const (
	BlobAuth          BlobID = iota // index 0: the access token; 1: the refresh token
	BlobClientCertDER               // index: the policy's client_cert
	BlobClientKeyDER                // index: the policy's client_cert
	BlobDeviceSerial
	BlobFirmwareVersion
	BlobDeviceType
	BlobNTPServer
	BlobMQTTClientID
	BlobMQTTUsername
	BlobMQTTPassword
	BlobExtAuth1 // index 0: the key's id; 1: the secret. The same for the next three
	BlobExtAuth2
	BlobExtAuth3
	BlobExtAuth4
	numBlobs
)

var blobNames = [numBlobs]string{
	"AUTH", "CLIENT_CERT_DER", "CLIENT_KEY_DER", "DEVICE_SERIAL", "FW_VERSION", "TYPE", "NTP_SERVER",
	"MQTT_CLIENT_ID", "MQTT_USERNAME", "MQTT_PASSWORD", "EXT_AUTH1", "EXT_AUTH2", "EXT_AUTH3", "EXT_AUTH4",
}

// String returns the name that libwebsockets uses, without its prefix: "FW_VERSION". It returns "unknown" for a number
// that is no blob.
func (id BlobID) String() string {
	if id < numBlobs {
		return blobNames[id]
	}
	return "unknown"
}

// Blobs returns the values of system blobs. It is called on the loop's goroutine each time a value is used, and must
// not block.
type Blobs interface {
	// Blob returns a value; ok is false when there is none, and an empty value counts as none. The slice
	// must not change until the next call.
	Blob(id BlobID, index int) (value []byte, ok bool)
}

// BlobFunc is a function that implements Blobs.
type BlobFunc func(id BlobID, index int) ([]byte, bool)

// Blob implements Blobs.
func (f BlobFunc) Blob(id BlobID, index int) ([]byte, bool) { return f(id, index) }

// BlobMemory is Blobs in memory. The zero BlobMemory is empty. One goroutine may use it: the loop's, once a runtime
// has it.
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

// Set copies value into a blob. It overwrites the old value with zeros; an empty value removes the blob.
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

// BlobError is the Cause of UNREACHABLE when an attempt needed a blob that has no value, or an unusable one. It
// contains nothing of the value.
type BlobError struct {
	ID    BlobID
	Index int
	Key   string // the key of the policy that refers to the blob
	Err   error  // ErrNoBlob, or what is wrong with the value
}

// Error implements error.
func (e *BlobError) Error() string {
	return fmt.Sprintf("system blob %v, index %d, for the policy's %s: %v", e.ID, e.Index, e.Key, e.Err)
}

// Unwrap implements errors.Is and errors.As.
func (e *BlobError) Unwrap() error { return e.Err }

// Lookup returns the value of a blob to which the policy's key refers; b may be nil. The error is a *BlobError with
// ErrNoBlob if there is no value. The slice is valid until the next call of b.Blob.
func Lookup(b Blobs, id BlobID, index int, key string) ([]byte, error) {
	if b != nil {
		if v, ok := b.Blob(id, index); ok && len(v) > 0 {
			return v, nil
		}
	}
	return nil, &BlobError{id, index, key, ErrNoBlob}
}
