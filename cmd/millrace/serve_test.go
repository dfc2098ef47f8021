package main

import (
	"io"
	"net/http"
	"testing"
	"time"
)

const servePolicy = `{"s":[
	{"web": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "h1", "metadata": [{"mime": "content-type:"}]}},
	{"tcp": {"server": true, "endpoint": "127.0.0.1", "port": 0, "protocol": "raw"}}]}`

// ask makes one request with a new net/http client.
func ask(t *testing.T, client *http.Client, method, url string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	q, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: read the answer: %v after %d bytes", method, url, err, len(b))
	}
	return a, b
}

func httpClient(t *testing.T) *http.Client {
	c := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Unused buffers are kept for the next stream, up to a limit.
func TestServiceBuffers(t *testing.T) {
	sv := &service{}
	b := sv.getBuffer(pieceSize)
	if len(b) != 0 || cap(b) < pieceSize {
		t.Fatalf("getBuffer: length %d, capacity %d; want 0 and at least %d", len(b), cap(b), pieceSize)
	}
	sv.putBuffer(append(b, "used"...))
	if again := sv.getBuffer(pieceSize); len(again) != 0 || &again[:1][0] != &b[:1][0] {
		t.Errorf("getBuffer after putBuffer: length %d, want the same buffer, empty", len(again))
	}
	for range 2 * buffersKept {
		sv.putBuffer(make([]byte, pieceSize))
	}
	sv.putBuffer(make([]byte, 10))
	if len(sv.free) != buffersKept {
		t.Errorf("%d buffers are kept, want %d", len(sv.free), buffersKept)
	}
}
