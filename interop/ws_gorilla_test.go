package interop

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// gorilla is github.com/gorilla/websocket.
type gorilla struct{}

func (gorilla) dial(ctx context.Context, url string, h http.Header, d wsDialing) (wsGoConn, *http.Response, error) {
	dialer := websocket.Dialer{TLSClientConfig: d.tls, EnableCompression: d.deflate != ""}
	if d.offered != "" {
		dialer.Subprotocols = []string{d.offered}
	}
	c, r, err := dialer.DialContext(ctx, url, h)
	if err != nil {
		return nil, r, err
	}
	return newGorillaConn(c, d), r, nil
}

func (gorilla) accept(w http.ResponseWriter, r *http.Request, h http.Header, d wsDialing) (wsGoConn, error) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, EnableCompression: d.deflate != ""}
	if d.offered != "" {
		u.Subprotocols = []string{d.offered}
	}
	c, err := u.Upgrade(w, r, h)
	if err != nil {
		return nil, err
	}
	return newGorillaConn(c, d), nil
}

// gorillaConn is a gorilla connection.
type gorillaConn struct{ *websocket.Conn }

func newGorillaConn(c *websocket.Conn, d wsDialing) gorillaConn {
	c.SetPongHandler(func(s string) error { d.pong(s); return nil })
	return gorillaConn{c}
}

func (c gorillaConn) read() (kind, data string, err error) {
	k, b, err := c.ReadMessage()
	var closeErr *websocket.CloseError
	switch {
	case errors.As(err, &closeErr) && closeErr.Code != websocket.CloseAbnormalClosure:
		return "", "", &wsCloseError{closeErr.Code, closeErr.Text}
	case err != nil:
		return "", "", err
	case k == websocket.TextMessage:
		return "text", string(b), nil
	}
	return "binary", string(b), nil
}

func (c gorillaConn) write(kind, data string, cuts []int) error {
	k := websocket.TextMessage
	if kind == "binary" {
		k = websocket.BinaryMessage
	}
	if cuts == nil {
		return c.WriteMessage(k, []byte(data))
	}
	// The library sends a frame whenever its buffer of 4 KiB is full.
	w, err := c.NextWriter(k)
	if err != nil {
		return err
	}
	err = fragments(data, cuts, func(b []byte) error { _, err := w.Write(b); return err })
	if err != nil {
		return err
	}
	return w.Close()
}

func (c gorillaConn) ping(payload string) error {
	return c.WriteControl(websocket.PingMessage, []byte(payload), time.Now().Add(patience))
}

func (c gorillaConn) close(code int, reason string) error {
	return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(patience))
}

func (c gorillaConn) drop() { c.Close() }

func (c gorillaConn) protocol() string { return c.Subprotocol() }

func TestWebSocketGorilla(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	converse(t, keys, newWSGo(t, keys, gorilla{}), nil)
}

func TestWebSocketGorillaCompressed(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	compresses(t, keys, newWSGo(t, keys, gorilla{}), "fresh")
}
