package interop

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/lxzan/gws"
)

// gwsLibrary is github.com/lxzan/gws. Its API has callbacks: a channel turns them into calls.
type gwsLibrary struct{}

// gwsDeflate are its compression parameters for our names of them.
func gwsDeflate(deflate string) gws.PermessageDeflate {
	return gws.PermessageDeflate{Enabled: deflate != "", ServerContextTakeover: deflate == "keep", ClientContextTakeover: deflate == "keep"}
}

func (gwsLibrary) dial(ctx context.Context, url string, h http.Header, d wsDialing) (wsGoConn, *http.Response, error) {
	if d.offered != "" {
		h.Set("Sec-WebSocket-Protocol", d.offered)
	}
	e := newGWSConn(d)
	c, r, err := gws.NewClient(e, &gws.ClientOption{Addr: url, RequestHeader: h, TlsConfig: d.tls.Clone(), PermessageDeflate: gwsDeflate(d.deflate),
		CheckUtf8Enabled: true, ReadMaxPayloadSize: gwsMost, WriteMaxPayloadSize: gwsMost})
	if err != nil {
		return nil, r, err
	}
	e.Conn = c
	go c.ReadLoop()
	return e, r, nil
}

// gwsMost is larger than every message in these tests.
const gwsMost = 32 << 20

func (gwsLibrary) accept(w http.ResponseWriter, r *http.Request, h http.Header, d wsDialing) (wsGoConn, error) {
	o := &gws.ServerOption{ResponseHeader: h, PermessageDeflate: gwsDeflate(d.deflate), CheckUtf8Enabled: true,
		ReadMaxPayloadSize: gwsMost, WriteMaxPayloadSize: gwsMost}
	if d.offered != "" {
		o.SubProtocols = []string{d.offered}
	}
	e := newGWSConn(d)
	c, err := gws.NewUpgrader(e, o).Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	e.Conn = c
	go c.ReadLoop()
	return e, nil
}

// gwsConn is a gws connection. On close it sends its Close frame and closes the socket at once.
type gwsConn struct {
	gws.BuiltinEventHandler
	*gws.Conn
	came     chan wsHeard
	gone     chan struct{} // closed when reading has stopped
	pong     func(string)
	closeErr *wsCloseError
}

func newGWSConn(d wsDialing) *gwsConn {
	return &gwsConn{came: make(chan wsHeard), gone: make(chan struct{}), pong: d.pong}
}

func (c *gwsConn) hear(h wsHeard) {
	select {
	case c.came <- h:
	case <-c.gone:
	}
}

// OnMessage implements gws.Event.
func (c *gwsConn) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	kind := "text"
	if m.Opcode == gws.OpcodeBinary {
		kind = "binary"
	}
	c.hear(wsHeard{kind, string(m.Bytes()), nil})
}

// OnPing implements gws.Event.
func (c *gwsConn) OnPing(x *gws.Conn, payload []byte) { x.WritePong(payload) }

// OnPong implements gws.Event.
func (c *gwsConn) OnPong(_ *gws.Conn, payload []byte) { c.pong(string(payload)) }

// OnClose implements gws.Event.
func (c *gwsConn) OnClose(_ *gws.Conn, err error) {
	var closeErr *gws.CloseError
	switch {
	case errors.As(err, &closeErr) && closeErr.Code == 0:
		err = &wsCloseError{1005, ""}
	case errors.As(err, &closeErr):
		err = &wsCloseError{int(closeErr.Code), string(closeErr.Reason)}
	}
	c.hear(wsHeard{err: err})
}

func (c *gwsConn) read() (kind, data string, err error) {
	h := <-c.came
	if h.err != nil && c.closeErr != nil {
		h.err = c.closeErr
	}
	return h.kind, h.data, h.err
}

func (c *gwsConn) write(kind, data string, cuts []int) error {
	k := gws.OpcodeText
	if kind == "binary" {
		k = gws.OpcodeBinary
	}
	if cuts == nil {
		return c.WriteMessage(k, []byte(data))
	}
	var p inPieces
	fragments(data, cuts, func(b []byte) error { p = append(p, string(b)); return nil })
	return c.WriteFile(k, &p)
}

// inPieces limits the size of each Read. The library sends a frame for each Read.
type inPieces []string

func (p *inPieces) Read(b []byte) (n int, err error) {
	n = copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] != "" {
		return n, nil
	}
	if *p = (*p)[1:]; len(*p) == 0 {
		err = io.EOF
	}
	return n, err
}

func (c *gwsConn) ping(payload string) error { return c.WritePing([]byte(payload)) }

// close cannot report the answer: the library closes the socket before it arrives.
func (c *gwsConn) close(code int, reason string) error {
	c.closeErr = &wsCloseError{}
	return c.WriteClose(uint16(code), []byte(reason))
}

func (c *gwsConn) drop() {
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
	c.NetConn().Close()
}

func (c *gwsConn) protocol() string { return c.SubProtocol() }

func TestWebSocketGWS(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	converse(t, keys, newWSGo(t, keys, gwsLibrary{}), map[string]string{
		"client: client closes with 1005": "it always sends a code",
		"server: server closes with 1005": "it always sends a code",
		"server: subprotocol not offered": "where it serves one it refuses who offers none",
		"client: subprotocol not served":  "where it offers one it drops a server that selects none",
	})
}

func TestWebSocketGWSCompressed(t *testing.T) {
	t.Parallel()
	keys := newWSTLS(t)
	compresses(t, keys, newWSGo(t, keys, gwsLibrary{}), "fresh", "keep")
}
