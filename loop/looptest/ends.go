package looptest

import (
	"errors"
	"syscall"

	"github.com/millrace/millrace/loop"
)

func isErrno(err error, want syscall.Errno) bool { return errors.Is(err, want) }

var endScenarios = []scenario{
	{name: "the end of a stream", run: func(r *rig) {
		p := r.pair()
		r.close(p.client.FD())
		r.expect(p.server, loop.Readable|loop.HangUp)
		r.readErr(p.server, 0)
		r.readErr(p.server, 0)
	}},
	{name: "bytes before the end of the stream", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "last words")
		r.close(p.client.FD())
		r.expect(p.server, loop.Readable|loop.HangUp)
		r.read(p.server, "last words")
		r.readErr(p.server, 0)
	}},
	{name: "HangUp is reported once, even if reading is late", run: func(r *rig) {
		p := r.pair()
		r.write(p.client, "last words")
		if e := r.sys.CloseWrite(p.client.FD()); e != 0 {
			r.Fatalf("CloseWrite: %s", errnoString(e))
		}
		r.expect(p.server, loop.Readable|loop.HangUp)
		r.expectNothing(p.server, loop.HangUp)
		r.read(p.server, "last words")
		r.readErr(p.server, 0)
	}},
	{name: "HangUp is reported to a late registration", run: func(r *rig) {
		p := r.pair()
		r.sys.Remove(p.server.FD())
		r.close(p.client.FD())
		r.collect(moment)
		r.expect(r.add(p.server.FD()), loop.Readable|loop.HangUp)
	}},
	{name: "after a half-close the other direction works", run: func(r *rig) {
		p := r.pair()
		if e := r.sys.CloseWrite(p.client.FD()); e != 0 {
			r.Fatalf("CloseWrite: %s", errnoString(e))
		}
		r.expect(p.server, loop.HangUp)
		r.readErr(p.server, 0)
		r.write(p.server, "still here")
		r.read(p.client, "still here")
		if n, e := r.sys.Write(p.client.FD(), []byte("x")); n != 0 || e != syscall.EPIPE {
			r.Fatalf("Write after CloseWrite: got %d, %s, want 0, EPIPE", n, errnoString(e))
		}
		r.close(p.server.FD())
		r.expect(p.client, loop.HangUp)
		r.readErr(p.client, 0)
	}},
	{name: "close delivers what was written", run: func(r *rig) {
		p := r.pair()
		text := make([]byte, 20_000)
		for i := range text {
			text[i] = 'a' + byte(i%26)
		}
		r.write(p.server, string(text))
		r.close(p.server.FD())
		r.read(p.client, string(text))
		r.readErrSoon(p.client, 0)
	}},
	{name: "a reset is ECONNRESET", run: func(r *rig) {
		p := r.pair()
		r.abort(p.client.FD())
		r.expect(p.server, loop.Readable|loop.Broken|loop.Failed)
		r.readErr(p.server, syscall.ECONNRESET)
	}},
	{name: "two orderly ends are not reported as Failed", run: func(r *rig) {
		p := r.pair()
		for _, end := range []loop.Token{p.client, p.server} {
			if e := r.sys.CloseWrite(end.FD()); e != 0 {
				r.Fatalf("CloseWrite: %s", errnoString(e))
			}
		}
		r.expect(p.client, loop.HangUp)
		r.expectNothing(p.client, loop.Failed)
		r.expectNothing(p.server, loop.Failed)
	}},
	{name: "a reset after a half-close is reported", run: func(r *rig) {
		p := r.pair()
		if e := r.sys.CloseWrite(p.client.FD()); e != 0 {
			r.Fatalf("CloseWrite: %s", errnoString(e))
		}
		r.expect(p.server, loop.HangUp)
		r.readErr(p.server, 0)
		r.expectNothing(p.server, loop.Broken|loop.Failed)
		r.abort(p.client.FD())
		r.expect(p.server, loop.Broken|loop.Failed)
	}},
	{name: "a reset is seen by SocketError", run: func(r *rig) {
		p := r.pair()
		r.abort(p.server.FD())
		r.expect(p.client, loop.Broken)
		if e := r.sys.SocketError(p.client.FD()); e != syscall.ECONNRESET {
			r.Fatalf("SocketError: got %s, want ECONNRESET", errnoString(e))
		}
	}},
	{name: "writing to a closed peer", run: func(r *rig) {
		p := r.pair()
		r.close(p.client.FD())
		r.expect(p.server, loop.HangUp)
		for range 100 {
			switch _, e := r.sys.Write(p.server.FD(), []byte("anyone?")); e {
			case 0:
				r.collect(moment)
			case syscall.EPIPE, syscall.ECONNRESET:
				return
			default:
				r.Fatalf("Write: got %s, want EPIPE or ECONNRESET", errnoString(e))
			}
		}
		r.Fatal("Write succeeded a hundred times after the peer had closed")
	}},
}

// readErrSoon waits for an event and then calls readErr.
func (r *rig) readErrSoon(from loop.Token, want syscall.Errno) {
	r.Helper()
	var b [16]byte
	n, e := r.sys.Read(from.FD(), b[:])
	if e == syscall.EAGAIN {
		r.expect(from, loop.Readable)
		n, e = r.sys.Read(from.FD(), b[:])
	}
	if n != 0 || e != want {
		r.Fatalf("Read from fd %d: got %d (%q), %s, want 0, %s", from.FD(), n, b[:n], errnoString(e), errnoString(want))
	}
}
