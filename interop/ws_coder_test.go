package interop

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// coder is github.com/coder/websocket. tls is the configuration of its clients.
type coder struct{ client *http.Client }

func newCoder(t *testing.T, c *tls.Config) coder {
	tr := &http.Transport{TLSClientConfig: c}
	t.Cleanup(tr.CloseIdleConnections)
	return coder{&http.Client{Transport: tr}}
}

// coderMode returns the library's compression mode for our name of it.
func coderMode(deflate string) websocket.CompressionMode {
	switch deflate {
	case "fresh":
		return websocket.CompressionNoContextTakeover
	case "keep":
		return websocket.CompressionContextTakeover
	}
	return websocket.CompressionDisabled
}

func (l coder) dial(ctx context.Context, url string, h http.Header, d wsDialing) (wsGoConn, *http.Response, error) {
	o := &websocket.DialOptions{HTTPClient: l.client, HTTPHeader: h, CompressionMode: coderMode(d.deflate)}
	if d.offered != "" {
		o.Subprotocols = []string{d.offered}
	}
	c, r, err := websocket.Dial(ctx, url, o)
	if err != nil {
		l.client.CloseIdleConnections() // a refusal leaves an idle connection
		return nil, r, err
	}
	return newCoderConn(c, d), r, nil
}

func (coder) accept(w http.ResponseWriter, r *http.Request, h http.Header, d wsDialing) (wsGoConn, error) {
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: coderMode(d.deflate)}
	if d.offered != "" {
		o.Subprotocols = []string{d.offered}
	}
	for name, v := range h {
		w.Header()[name] = v
	}
	c, err := websocket.Accept(w, r, o)
	if err != nil {
		return nil, err
	}
	return newCoderConn(c, d), nil
}

// coderConn is a coder/websocket connection.
type coderConn struct {
	*websocket.Conn
	pong     func(string)
	closeErr *wsCloseError // the library checks that the answer to our Close frame is equal to it
}

func newCoderConn(c *websocket.Conn, d wsDialing) *coderConn {
	c.SetReadLimit(-1)
	return &coderConn{Conn: c, pong: d.pong}
}

func (c *coderConn) read() (kind, data string, err error) {
	k, b, err := c.Read(context.Background())
	var closeErr websocket.CloseError
	switch {
	case errors.As(err, &closeErr):
		return "", "", &wsCloseError{int(closeErr.Code), closeErr.Reason}
	case err != nil && c.closeErr != nil:
		return "", "", c.closeErr
	case err != nil:
		return "", "", err
	case k == websocket.MessageText:
		return "text", string(b), nil
	}
	return "binary", string(b), nil
}

func (c *coderConn) write(kind, data string, cuts []int) error {
	k := websocket.MessageText
	if kind == "binary" {
		k = websocket.MessageBinary
	}
	if cuts == nil {
		return c.Write(context.Background(), k, []byte(data))
	}
	w, err := c.Writer(context.Background(), k)
	if err != nil {
		return err
	}
	err = fragments(data, cuts, func(b []byte) error { _, err := w.Write(b); return err })
	if err != nil {
		return err
	}
	return w.Close()
}

// ping sends a payload that the library chooses and checks in the pong.
func (c *coderConn) ping(payload string) error {
	if err := c.Ping(context.Background()); err != nil {
		return err
	}
	c.pong(payload)
	return nil
}

func (c *coderConn) close(code int, reason string) error {
	if err := c.Close(websocket.StatusCode(code), reason); err != nil {
		return err
	}
	c.closeErr = &wsCloseError{code, ""}
	return nil
}

func (c *coderConn) drop() { c.CloseNow() }

func (c *coderConn) protocol() string { return c.Subprotocol() }

func TestWebSocketCoder(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	g := newWSGo(t, keys, nil)
	g.lib = newCoder(t, g.tls)
	converse(t, keys, g, nil)
}

func TestWebSocketCoderCompressed(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	g := newWSGo(t, keys, nil)
	g.lib = newCoder(t, g.tls)
	compresses(t, keys, g, "fresh", "keep")
}
