package multipart

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
)

var parts = []struct {
	Part
	content string
}{
	{Part{Name: "plain"}, "text"},
	{Part{Name: "file", Filename: "a.bin", ContentType: "application/octet-stream"}, "\r\n--\x00\xff"},
	{Part{Filename: "only a file"}, ""},
	{Part{Name: "q\"uo\r\nte", Filename: "\r\nX-Injected: \"1\""}, "x"},
	{Part{Name: "\xc3\xa4%22"}, strings.Repeat("y", 70000)},
}

func TestAppendPart(t *testing.T) {
	b := NewBoundary([16]byte{1, 0xab})
	const dashed = "--01ab0000000000000000000000000000"
	if got := string(b.AppendFormType(nil)); got != "multipart/form-data; boundary="+dashed[2:] {
		t.Errorf("AppendFormType: got %q, want %q", got, "multipart/form-data; boundary="+dashed[2:])
	}
	for _, c := range []struct {
		p     Part
		first bool
		want  string
	}{
		{Part{Name: "n"}, true, dashed + "\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n"},
		{Part{Name: "n"}, false, "\r\n" + dashed + "\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n"},
		{Part{"n", "f", "text/plain"}, true, dashed + "\r\nContent-Disposition: form-data; name=\"n\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\n"},
		{Part{Name: "a\"\r\nb", Filename: "\"\r\n"}, true, dashed + "\r\nContent-Disposition: form-data; name=\"a%22%0D%0Ab\"; filename=\"%22%0D%0A\"\r\n\r\n"},
	} {
		got := b.AppendPart([]byte("x"), &c.p, c.first)
		if string(got) != "x"+c.want {
			t.Errorf("AppendPart(%+v): got %q, want %q", c.p, got, "x"+c.want)
		}
		if n := c.p.Len(c.first); n != len(c.want) {
			t.Errorf("Len of %+v: got %d, want %d", c.p, n, len(c.want))
		}
	}
	if got := b.AppendEnd(nil); string(got) != "\r\n"+dashed+"--\r\n" || len(got) != EndLen {
		t.Errorf("AppendEnd: got %q, want %q with EndLen %d", got, "\r\n"+dashed+"--\r\n", EndLen)
	}
}

// form returns a body with all of parts, and checks the announced lengths.
func form(b *Boundary) (body []byte) {
	want := EndLen
	for i := range parts {
		body = b.AppendPart(body, &parts[i].Part, i == 0)
		body = append(body, parts[i].content...)
		want += parts[i].Part.Len(i == 0) + len(parts[i].content)
	}
	body = b.AppendEnd(body)
	if len(body) != want {
		panic(fmt.Sprintf("length of the form: got %d, announced %d", len(body), want))
	}
	return body
}

// TestFormOracle: mime/multipart and the Reader read what this package writes.
func TestFormOracle(t *testing.T) {
	b := NewBoundary([16]byte{9, 8, 7})
	body := form(&b)
	_, params, err := mime.ParseMediaType(string(b.AppendFormType(nil)))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var rec recorder
	for i, want := range parts {
		p, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		if err != nil || string(got) != want.content {
			t.Errorf("content of part %d: got %d bytes (%v), want %d", i, len(got), err, len(want.content))
		}
		escape := strings.NewReplacer("\"", "%22", "\r", "%0D", "\n", "%0A").Replace
		if p.FormName() != escape(want.Name) || p.Header.Get("Content-Type") != want.ContentType {
			t.Errorf("part %d: got name %q, type %q; want %q, %q", i, p.FormName(), p.Header.Get("Content-Type"), escape(want.Name), want.ContentType)
		}
		if len(p.Header) > 2 {
			t.Errorf("part %d: got the fields %v, want at most 2", i, p.Header)
		}
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("after the last part: got %v, want EOF", err)
	}
	var ours Reader
	if err := ours.Begin(b.AppendFormType(nil), Limits{}, &rec); err != nil {
		t.Fatal(err)
	}
	ours.Rx(0, body)
	if err := ours.End(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(rec.b.String(), "part{"); n != len(parts) {
		t.Errorf("Reader: got %d parts, want %d", n, len(parts))
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	p := Part{"name", "file\"name", "text/plain"}
	if n := testing.AllocsPerRun(100, func() {
		b := NewBoundary([16]byte{1})
		buf = b.AppendFormType(buf[:0])
		buf = b.AppendPart(buf, &p, false)
		buf = b.AppendEnd(buf)
	}); n != 0 {
		t.Errorf("got %v allocations per part, want 0", n)
	}
}
