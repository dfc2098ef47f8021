package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/millrace/millrace/ss"
)

// parts is a server stream that answers a multipart request with a list of the part callbacks that it received.
type parts struct {
	b    strings.Builder
	n    int
	head byte
}

// State implements ss.Stream.
func (p *parts) State(h *ss.Handle, s ss.State, _ ss.Notice) ss.Ret {
	if s == ss.ServerTxn {
		p.b.Reset()
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (p *parts) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.SOM != 0 {
		what, _ := h.Metadata("what")
		mime, _ := h.Metadata("mime")
		fmt.Fprintf(&p.b, "%s; %s; ", what, mime)
		p.n = 0
	}
	if p.n == 0 && len(b) > 0 {
		p.head = b[0]
	}
	p.n += len(b)
	if f&ss.EOM != 0 {
		fmt.Fprintf(&p.b, "%d bytes from %q\n", p.n, p.head)
	}
	if f&ss.RelatedEnd != 0 {
		h.ServerAck(0)
		return h.RequestTxLen(int64(p.b.Len()))
	}
	return ss.OK
}

// Tx implements ss.Stream.
func (p *parts) Tx(_ *ss.Handle, _ uint32, buf []byte) (int, ss.Flags, ss.Ret) {
	return copy(buf, p.b.String()), ss.SOM | ss.EOM, ss.OK
}

// serveParts runs a server in this process and returns its address.
func serveParts(t *testing.T) (at string) {
	t.Helper()
	s := newScene(t, `{"s":[{"web":{"server":true,"endpoint":"127.0.0.1","port":0,"protocol":"h2","http_multipart_ss_in":true,
		"metadata":[{"mime":"content-type:"},{"what":"content-disposition:"}]}}]}`)
	h, err := s.rt.Create(ss.Info{StreamType: "web", New: func(*ss.Handle) ss.Stream { return new(parts) }})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := h.Addr()
	at = a.String()
	ended := make(chan error)
	go func() { ended <- s.loop.Run(context.Background()) }()
	t.Cleanup(func() {
		s.loop.Post(func() { s.rt.Drain(s.loop.Stop) })
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return at
}

// TestPartsOfCurl: a `curl -F` upload reaches a server stream part by part, over HTTP/1.1 and HTTP/2.
func TestPartsOfCurl(t *testing.T) {
	at := serveParts(t)
	big := file(t, "big.bin", pattern(3<<20, 5))
	for _, proto := range []string{"--http1.1", "--http2-prior-knowledge"} {
		r := curl(t, proto, "-F", "text=hello world", "-F", "file=@"+big+";type=image/x;filename=a \"b\".bin", "-F", "none=", "http://"+at+"/")
		same(t, proto, r.out, fmt.Sprintf("form-data; name=\"text\"; ; 11 bytes from 'h'\n"+
			"form-data; name=\"file\"; filename=\"a %%22b%%22.bin\"; image/x; %d bytes from %q\n"+
			"form-data; name=\"none\"; ; 0 bytes from %q\n", 3<<20, pattern(3<<20, 5)[0], pattern(3<<20, 5)[0]))
	}
}

// TestPartsOfNetHTTP: the standard library's multipart writer to a server stream, with a length and without; and to a
// client stream in responses, over HTTP/1.1 and HTTP/2, in clear and under TLS.
func TestPartsOfNetHTTP(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i, content := range []string{"first", "", strings.Repeat("\r\n-", 100000)} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("attachment; nth=%d", i)}, "Content-Type": {"text/plain"}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, content)
	}
	w.Close()
	want := "attachment; nth=0; text/plain; 5 bytes from 'f'\nattachment; nth=1; text/plain; 0 bytes from 'f'\n" +
		"attachment; nth=2; text/plain; 300000 bytes from '\\r'\n"

	at := serveParts(t)
	for _, hide := range []bool{false, true} {
		var r io.Reader = bytes.NewReader(body.Bytes())
		if hide {
			r = io.MultiReader(r)
		}
		resp, err := http.Post("http://"+at+"/", "multipart/related; type=\"x;boundary=no\"; boundary=\""+w.Boundary()+"\"", r)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		same(t, fmt.Sprint("without length: ", hide), string(got), want)
	}
	http.DefaultClient.CloseIdleConnections()

	list, head := fronts(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
		rw.Write(body.Bytes())
	}))
	for _, f := range list {
		x := &partsCall{}
		newScene(t, head+f.keys+`,"http_multipart_ss_in":true,"metadata":[{"mime":"content-type:"},{"what":"content-disposition:"}]}}]}`).
			playStream(x, &x.call, "c", ss.Info{})
		same(t, f.name, x.parts.b.String(), want)
		x.passed(t, "CREATING CONNECTING CONNECTED QOS_ACK_REMOTE DISCONNECTED DESTROYING")
	}
}

// partsCall is a client stream that records the parts of a response.
type partsCall struct {
	call
	parts parts
}

// Rx implements ss.Stream.
func (c *partsCall) Rx(h *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	c.parts.Rx(h, b, f&^ss.RelatedEnd)
	return ss.OK
}
