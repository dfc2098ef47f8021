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
	key      string // of the policy, for errors
	blob     device.BlobID
	preamble string
	hexify   bool // the value is sent as hexadecimal digits, since it may be any bytes
}

// errBlobValue: a blob holds characters that are not allowed in a header field (RFC 9110 s.5.5), most often the line
// end of the file it was read from.
var errBlobValue = errors.New("its value is not allowed in a header field: it has control characters, or blanks at its ends")

// blobFields returns the header fields that a stream type takes from blobs, in the order in which libwebsockets
// writes them.
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

// addBlobFields appends the fields of list to m. Their values are appended to text, which is returned; they are valid
// as long as text is.
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
