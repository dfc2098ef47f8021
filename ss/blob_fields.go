package ss

import (
	"encoding/hex"
	"errors"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles/http"
	"github.com/millrace/millrace/ss/device"
)

// blobField is a header field of requests whose value is a system blob.
type blobField struct {
	name     []byte
	id       http.ID
	key      string // of the policy, that asks for the field
	blob     device.BlobID
	preamble string
	hexify   bool // the value becomes hexadecimal digits, as it may be any bytes
}

// errBlobValue: a blob holds what no header field can carry (RFC 9110 s.5.5). Most often it ends with the
// line end of the file it was read from.
var errBlobValue = errors.New("its value cannot stand in a header field: it has control characters, or blanks around it")

// blobFields are the header fields that the policy of a stream type takes from blobs, in the order in which
// the reference writes them.
func blobFields(s *policy.Stream) (list []blobField) {
	p := &s.HTTP
	for _, f := range []blobField{
		{name: []byte(p.AuthHeader), key: "http_auth_header", blob: device.BlobAuth, preamble: p.AuthPreamble, hexify: p.AuthHexify},
		{name: []byte(p.DSNHeader), key: "http_dsn_header", blob: device.BlobDeviceSerial},
		{name: []byte(p.FWVHeader), key: "http_fwv_header", blob: device.BlobFirmwareVersion},
		{name: []byte(p.DevTypeHeader), key: "http_devtype_header", blob: device.BlobDeviceType},
	} {
		if f.id = http.Lookup(f.name); len(f.name) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// addBlobFields appends the fields that h's policy takes from system blobs. Their values are put behind
// text, which is returned; they are valid as long as that is.
func addBlobFields(m *http.Message, text []byte, list []blobField, blobs device.Blobs) ([]byte, error) {
	for i := range list {
		f := &list[i]
		v, err := device.Lookup(blobs, f.blob, 0, f.key)
		if err != nil {
			return text, err
		}
		at := len(text)
		text = append(text, f.preamble...)
		if f.hexify {
			text = hex.AppendEncode(text, v)
		} else {
			text = append(text, v...)
		}
		value := text[at:len(text):len(text)]
		if !http.ValidValue(value) {
			return text, &device.BlobError{ID: f.blob, Key: f.key, Err: errBlobValue}
		}
		m.Fields = append(m.Fields, http.Field{Name: f.name, Value: value, ID: f.id})
	}
	return text, nil
}
