package ss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/device"
)

// TestBlobFields: the header fields that the policy's four keys make of blobs, or the cause of the failure.
func TestBlobFields(t *testing.T) {
	const auth = `"http_auth_header":"authorization:"`
	for _, c := range []struct {
		name, keys string
		blobs      map[device.BlobID]string
		want       string // behind Host, with '|' for CRLF; "" for a failed attempt
		key        string // that the failure names
	}{
		{"all four", auth + `,"http_auth_preamble":"bearer ","http_dsn_header":"x-dsn:","http_fwv_header":"X-FW","http_devtype_header":"x-type:"`,
			map[device.BlobID]string{device.BlobAuth: "t0ken", device.BlobDeviceSerial: "s/n 1", device.BlobFirmwareVersion: "1.2", device.BlobDeviceType: "lamp"},
			"authorization: bearer t0ken|x-dsn: s/n 1|X-FW: 1.2|x-type: lamp||", ""},
		{"without a preamble, metadata behind", auth + `,"metadata":[{"m":"x-m:"}]`,
			map[device.BlobID]string{device.BlobAuth: "t"}, "authorization: t|x-m: m||", ""},
		{"hexified", auth + `,"http_auth_preamble":"hex ","auth_hexify":true`,
			map[device.BlobID]string{device.BlobAuth: "A\x00\xff\n"}, "authorization: hex 4100ff0a||", ""},
		{"no token", auth, nil, "", "http_auth_header"},
		{"an empty token", auth, map[device.BlobID]string{device.BlobAuth: ""}, "", "http_auth_header"},
		{"no serial number", `"http_dsn_header":"x-dsn:"`, map[device.BlobID]string{device.BlobAuth: "t"}, "", "http_dsn_header"},
		{"a line end in a token", auth, map[device.BlobID]string{device.BlobAuth: "t\r\nEvil: yes"}, "", "http_auth_header"},
		{"a line end behind a version", `"http_fwv_header":"x-fw:"`, map[device.BlobID]string{device.BlobFirmwareVersion: "1.2\n"}, "", "http_fwv_header"},
		{"a field that is the protocol's", `"http_devtype_header":"Host:"`, map[device.BlobID]string{device.BlobDeviceType: "evil"}, "|", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, clientDoc(c.keys+`,"retry":"none"`, rawServer), plan{Client: func(cfg *ss.Config) {
				cfg.Blobs = device.BlobFunc(func(id device.BlobID, index int) ([]byte, bool) {
					v, ok := c.blobs[id]
					return []byte(v), ok && index == 0
				})
			}})
			wire := ""
			w.Serve("srv", tap(&wire, speak("\r\n\r\n", okEmpty, false)))
			s := newScript()
			h := w.Create("c", s)
			if h.Policy().MetadataIndex("m") >= 0 {
				h.SetMetadataString("m", "m")
			}
			h.Connect()
			w.Advance(time.Second)
			if c.want != "" {
				_, got, _ := strings.Cut(strings.ReplaceAll(wire, "\r\n", "|"), "Host: 10.0.0.2|")
				if got != c.want || s.Told(ss.QOSAckRemote) != 1 {
					t.Errorf("on the wire: got %q, want %q; told %s, causes %v", got, c.want, s.Life(), s.Causes)
				}
				return
			}
			w.WantLine("the stream", s, "CREATING CONNECTING UNREACHABLE ALL_RETRIES_FAILED")
			var e *device.BlobError
			if !errors.As(s.Causes[0], &e) || e.Key != c.key || strings.Contains(e.Error(), "Evil") {
				t.Errorf("cause: got %v, want a BlobError about %s that tells no secret", s.Causes[0], c.key)
			}
			if wire != "" {
				t.Errorf("on the wire: got %q, want nothing", wire)
			}
		})
	}
}

// TestBlobIsReadPerRequest: the next request uses a renewed token.
func TestBlobIsReadPerRequest(t *testing.T) {
	var m device.BlobMemory
	m.Set(device.BlobAuth, 0, []byte("old"))
	w := newWorld(t, clientDoc(`"http_auth_header":"authorization:"`, rawServer), plan{Client: func(c *ss.Config) { c.Blobs = &m }})
	wire := ""
	w.Serve("srv", tap(&wire, speak("\r\n\r\n", okEmpty, false)))
	s := newScript()
	h := w.Create("c", s)
	h.Connect()
	w.Settle()
	m.Set(device.BlobAuth, 0, []byte("new"))
	h.Connect()
	w.Settle()
	if strings.Count(wire, "authorization: old\r\n") != 1 || strings.Count(wire, "authorization: new\r\n") != 1 {
		t.Errorf("on the wire: got %q, want the old token in the first request, the new in the second", wire)
	}
}

// tap also appends what an accepted stream receives to wire.
func tap(wire *string, each func(*script)) func(*script) {
	return func(s *script) {
		each(s)
		inner := s.OnRx
		s.OnRx = func(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
			*wire += string(b)
			return inner(h, b, f)
		}
	}
}
