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

// ask makes one request with net/http on a client of its own.
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

// Buffers come back for the next stream, in a bounded number.
func TestServiceBuffers(t *testing.T) {
	sv := &service{}
	b := sv.take(pieceSize)
	if len(b) != 0 || cap(b) < pieceSize {
		t.Fatalf("take: length %d, capacity %d; want 0 and at least %d", len(b), cap(b), pieceSize)
	}
	sv.give(append(b, "used"...))
	if again := sv.take(pieceSize); len(again) != 0 || &again[:1][0] != &b[:1][0] {
		t.Errorf("take after give: length %d, want the same buffer, empty", len(again))
	}
	for range 2 * buffersKept {
		sv.give(make([]byte, pieceSize))
	}
	sv.give(make([]byte, 10))
	if len(sv.free) != buffersKept {
		t.Errorf("%d buffers are kept, want %d", len(sv.free), buffersKept)
	}
}
