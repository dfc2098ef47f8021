package interop

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// TestFormsAgainstNetHTTP: net/http's parsers decode forms of all types, over HTTP/1.1 and HTTP/2, in clear and under TLS.
func TestFormsAgainstNetHTTP(t *testing.T) {
	list, head := fronts(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got []string
		if err := r.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
			got = append(got, err.Error())
		}
		for name, values := range r.PostForm {
			got = append(got, fmt.Sprintf("%s=%q", name, values))
		}
		if r.MultipartForm != nil {
			for name, values := range r.MultipartForm.Value {
				if _, twice := r.PostForm[name]; !twice {
					got = append(got, fmt.Sprintf("%s=%q", name, values))
				}
			}
			for name, files := range r.MultipartForm.File {
				for _, h := range files {
					f, err := h.Open()
					if err != nil {
						got = append(got, err.Error())
						continue
					}
					b, _ := io.ReadAll(f)
					f.Close()
					got = append(got, fmt.Sprintf("%s=%s %q %d bytes of %.5q", name, h.Header.Get("Content-Type"), h.Filename, len(b), b))
				}
			}
		}
		sort.Strings(got)
		known := "of unknown length"
		if r.ContentLength >= 0 {
			known = "of known length"
		}
		fmt.Fprintf(w, "%s %s: %s", r.Method, known, strings.Join(got, ", "))
	}))
	big := strings.Repeat("\r\n--\x00", 60000)
	for _, c := range []struct {
		keys  string
		send  []string
		known bool
		want  string
	}{
		{`"http_method":"POST","http_multipart_name":"file","http_multipart_filename":"a.bin","http_mime_content_type":"image/x"`,
			[]string{"bytes"}, true, `POST of known length: file=image/x "a.bin" 5 bytes of "bytes"`},
		{`"http_method":"POST","http_multipart_name":"file","http_multipart_filename":"a.bin"`,
			[]string{big}, false, `POST of unknown length: file= "a.bin" 300000 bytes of "\r\n--\x00"`},
		{`"http_method":"PUT","http_multipart_name":"file","http_multipart_filename":"a.bin"`,
			[]string{big}, true, `PUT of known length: file= "a.bin" 300000 bytes of "\r\n--\x00"`},
		{`"http_method":"POST","http_multipart_name":"text \"1\"","rideshare":"two"}},{"two":{"http_multipart_name":"b","rideshare":"three"}},` +
			`{"three":{"http_multipart_name":"c","http_multipart_filename":"c.txt","http_multipart_content_type":"text/plain"`,
			[]string{"one", "", big}, true, `POST of known length: b=[""], c=text/plain "c.txt" 300000 bytes of "\r\n--\x00", text %221%22=["one"]`},
		{`"http_method":"POST","http_www_form_urlencoded":true`,
			[]string{"a=1&b=%26+2&a=3"}, true, `POST of known length: a=["1" "3"], b=["& 2"]`},
		{`"http_method":"POST","http_www_form_urlencoded":true`,
			[]string{"a=1"}, false, `POST of unknown length: a=["1"]`},
	} {
		for _, f := range list {
			x := &form{parts: c.send, known: c.known}
			newScene(t, head+f.keys+`,`+c.keys+`}}]}`).playStream(x, &x.call, "c", ss.Info{})
			if got := x.body.String(); got != c.want {
				t.Errorf("%s, %s:\n got  %s\n want %s\n causes %v", f.name, c.keys, got, c.want, x.causes)
			}
		}
	}
}

// form is a call that sends a payload for each part.
type form struct {
	call
	parts []string
	known bool // announce the length
	at    int
}

// State implements ss.Stream.
func (f *form) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	if s == ss.Connecting && f.known {
		h.RequestTxLen(int64(len(strings.Join(f.parts, ""))))
	}
	return f.call.State(h, s, n)
}

// Tx implements ss.Stream.
func (f *form) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, flags ss.Flags, r ss.Ret) {
	if f.at == 0 {
		flags = ss.SOM
	}
	n = copy(buf, f.parts[0][f.at:])
	if f.at += n; f.at == len(f.parts[0]) {
		f.parts, f.at = f.parts[1:], 0
		flags |= ss.EOM
	}
	if len(f.parts) > 0 {
		h.RequestTx()
	}
	return n, flags, ss.OK
}
