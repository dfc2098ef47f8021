package ws

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/roles"
	"github.com/millrace/millrace/roles/rolestest"
)

// sendHandler does nothing.
type sendHandler struct{}

func (sendHandler) Opened(*Conn)                {}
func (sendHandler) Rx(*Conn, []byte, Flags)     {}
func (sendHandler) Writable(*Conn)              {}
func (sendHandler) Pong(*Conn, []byte)          {}
func (sendHandler) Closing(*Conn, Code, []byte) {}
func (sendHandler) Closed(*Conn, error)         {}

// A server's frames around lent payloads are legal whatever the transport takes at a time, and make up the message.
func TestSendLends(t *testing.T) {
	msg := bytes.Repeat([]byte("message!"), 20_000)
	for _, most := range []int{0, 1, roles.LendMin - 1, roles.LendMin, 10_000, 0xffff, 0x10000, 1 << 20} {
		for _, size := range []int{1, 125, 126, roles.LendMin - 1, roles.LendMin, roles.LendMin + 1, 0xffff, 0x10000, len(msg)} {
			l, c := rolestest.New(), new(Conn)
			c.Init(NewShared(DefaultConfig()), l, false, Agreed{}, sendHandler{})
			l.Open(c)
			l.LendMost = most
			if n, err := c.Send(msg[:size], First|Last|Binary); n != size || err != nil {
				t.Fatalf("lending %d: Send took %d of %d: %v", most, n, size, err)
			}
			var got []byte
			for b := l.Out; len(b) > 0; {
				var h header
				if f := h.first(b[0], false); f != nil {
					t.Fatalf("lending %d, %d bytes: %v", most, size, f)
				}
				n, f := h.rest(b, false)
				if f != nil || n == 0 || int(h.length) > len(b)-n {
					t.Fatalf("lending %d, %d bytes: a frame of %d bytes in %d: %v", most, size, h.length, len(b), f)
				}
				if first, last := len(got) == 0, n+int(h.length) == len(b); (h.op() == opBinary) != first || h.fin() != last {
					t.Fatalf("lending %d, %d bytes: the frame at byte %d has opcode %d and fin %v", most, size, len(got), h.op(), h.fin())
				}
				got = append(got, b[n:n+int(h.length)]...)
				b = b[n+int(h.length):]
			}
			if !bytes.Equal(got, msg[:size]) || l.Misuse != "" {
				t.Errorf("lending %d: %d bytes arrived of %d: %s", most, len(got), size, l.Misuse)
			}
			if want := most >= roles.LendMin && size >= roles.LendMin; (l.Lent > 0) != want {
				t.Errorf("lending %d, %d bytes: %d were lent, want some: %v", most, size, l.Lent, want)
			}
		}
	}
}
