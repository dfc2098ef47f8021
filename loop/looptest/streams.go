package looptest

import (
	"path/filepath"
	"syscall"

	"github.com/millrace/millrace/loop"
)

var streamScenarios = []scenario{
	{name: "Writable reports the outcome of a connect", run: func(r *rig) {
		_, at := r.listen(loopback)
		c := r.connect(at)
		r.expect(r.add(c), loop.Writable)
		if e := r.sys.SocketError(c); e != 0 {
			r.Fatalf("SocketError: got %s, want success", errnoString(e))
		}
		if a, ok := r.sys.PeerAddr(c); !ok || a != at {
			r.Fatalf("PeerAddr: got %s, %v, want %s", a, ok, at)
		}
	}},
	{name: "a refused connect", run: func(r *rig) {
		l, at := r.listen(loopback)
		r.close(l)
		c, e := r.sys.Connect(at, loop.SocketOptions{})
		if e == syscall.ECONNREFUSED {
			if c != loop.NoFD {
				r.Fatalf("Connect failed and returned fd %d, want none", c)
			}
			return
		}
		if e != syscall.EINPROGRESS {
			r.Fatalf("Connect: got %s, want EINPROGRESS or ECONNREFUSED", errnoString(e))
		}
		r.expect(r.add(r.opens(c)), loop.Writable|loop.Broken)
		if e := r.sys.SocketError(c); e != syscall.ECONNREFUSED {
			r.Fatalf("SocketError: got %s, want ECONNREFUSED", errnoString(e))
		}
		if e := r.sys.SocketError(c); e != 0 {
			r.Fatalf("SocketError a second time: got %s, want success: the call clears the error", errnoString(e))
		}
	}},
	{name: "accept until EAGAIN", run: func(r *rig) {
		l, at := r.listen(loopback)
		lt := r.add(l)
		if _, e := r.sys.Accept(l); e != syscall.EAGAIN {
			r.Fatalf("Accept without a client: got %s, want EAGAIN", errnoString(e))
		}
		const clients = 3
		for range clients {
			r.expect(r.add(r.connect(at)), loop.Writable)
		}
		for got := 0; got < clients; {
			s, e := r.sys.Accept(l)
			switch e {
			case 0:
				got++
				r.opens(s)
			case syscall.EAGAIN:
				r.expect(lt, loop.Readable)
			default:
				r.Fatalf("Accept: got %s after %d of %d", errnoString(e), got, clients)
			}
		}
		if fd, e := r.sys.Accept(l); fd != loop.NoFD || e != syscall.EAGAIN {
			r.Fatalf("Accept of a fourth: got fd %d, %s, want none, EAGAIN", fd, errnoString(e))
		}
	}},
	{name: "the lowest free descriptor number is used", run: func(r *rig) {
		_, at := r.listen(loopback)
		a, b := r.connect(at), r.connect(at)
		r.close(a)
		if c := r.connect(at); c != a {
			r.Fatalf("Connect after closing fd %d: got fd %d (fd %d is open)", a, c, b)
		}
	}},
	{name: "addresses agree on both ends", run: func(r *rig) {
		p := r.pair()
		get := func(name string, f func(loop.FD) (loop.Addr, bool), fd loop.FD) loop.Addr {
			a, ok := f(fd)
			if !ok || !a.IP.IsValid() || a.IP.Port() == 0 {
				r.Fatalf("%s of fd %d: got %s, %v", name, fd, a, ok)
			}
			return a
		}
		if a, b := get("LocalAddr", r.sys.LocalAddr, p.client.FD()), get("PeerAddr", r.sys.PeerAddr, p.server.FD()); a != b {
			r.Errorf("the client is %s, the server sees %s", a, b)
		}
		if a, b := get("PeerAddr", r.sys.PeerAddr, p.client.FD()), get("LocalAddr", r.sys.LocalAddr, p.server.FD()); a != b {
			r.Errorf("the client sees %s, the server is %s", a, b)
		}
	}},
	{name: "a port in use", run: func(r *rig) {
		_, at := r.listen(loopback)
		fd, _, err := r.sys.Listen(at, loop.ListenOptions{})
		if fd != loop.NoFD || !isErrno(err, syscall.EADDRINUSE) {
			r.Fatalf("Listen on %s twice: got fd %d, %v, want none, EADDRINUSE", at, fd, err)
		}
	}},
	{name: "write until EAGAIN, writable once drained", run: func(r *rig) {
		p := r.pair()
		chunk := make([]byte, 16<<10)
		for i := range chunk {
			chunk[i] = byte(i % 251)
		}
		sent := 0
		for tries := 0; ; tries++ {
			n, e := r.sys.Write(p.client.FD(), chunk[sent%251:])
			if e == syscall.EAGAIN {
				break
			}
			if e != 0 || tries > 1<<16 {
				r.Fatalf("Write after %d bytes: got %d, %s, want EAGAIN", sent, n, errnoString(e))
			}
			sent += n
		}
		r.expectNothing(p.client, loop.Writable)
		b := make([]byte, 64<<10)
		got := 0
		for got < sent {
			n, e := r.sys.Read(p.server.FD(), b)
			if e == syscall.EAGAIN {
				r.expect(p.server, loop.Readable)
				continue
			}
			if e != 0 || n == 0 {
				r.Fatalf("Read after %d of %d bytes: got %d, %s", got, sent, n, errnoString(e))
			}
			for i, c := range b[:n] {
				if want := byte((got + i) % 251); c != want {
					r.Fatalf("byte %d of %d: got %#02x, want %#02x", got+i, sent, c, want)
				}
			}
			got += n
		}
		r.expect(p.client, loop.Writable)
		r.write(p.client, "more")
		r.read(p.server, "more")
	}},
	{name: "one writev of several slices", run: func(r *rig) {
		p := r.pair()
		r.writev(p.client, "he", "", "l", "lo")
		r.read(p.server, "hello")
		r.writev(p.client, "!")
		r.read(p.server, "!")
		most := make([]string, loop.MaxVector)
		for i := range most {
			most[i] = string(rune('a' + i))
		}
		r.writev(p.client, most...)
		r.read(p.server, "abcdefghijklmnop")
	}},
	{name: "writev until EAGAIN keeps the order", run: func(r *rig) {
		p := r.pair()
		chunk := make([]byte, 48<<10)
		for i := range chunk {
			chunk[i] = byte(i % 251)
		}
		sent, got := 0, 0
		b := make([]byte, 64<<10)
		for tries := 0; ; tries++ {
			c := chunk[sent%251:]
			v := [][]byte{c[:7], c[7:20000], nil, c[20000:]}
			n, e := r.sys.Writev(p.client.FD(), v)
			if e == syscall.EAGAIN {
				break
			}
			if e != 0 || n <= 0 || n > len(c) || tries > 1<<16 {
				r.Fatalf("Writev after %d bytes: got %d, %s, want EAGAIN", sent, n, errnoString(e))
			}
			sent += n
		}
		for got < sent {
			n, e := r.sys.Read(p.server.FD(), b)
			if e == syscall.EAGAIN {
				r.expect(p.server, loop.Readable)
				continue
			}
			if e != 0 || n == 0 {
				r.Fatalf("Read after %d of %d bytes: got %d, %s", got, sent, n, errnoString(e))
			}
			for i, c := range b[:n] {
				if want := byte((got + i) % 251); c != want {
					r.Fatalf("byte %d of %d: got %#02x, want %#02x", got+i, sent, c, want)
				}
			}
			got += n
		}
		r.expect(p.client, loop.Writable)
		r.writev(p.client, "mo", "re")
		r.read(p.server, "more")
	}},
	{name: "writev after CloseWrite", run: func(r *rig) {
		p := r.pair()
		if e := r.sys.CloseWrite(p.client.FD()); e != 0 {
			r.Fatalf("CloseWrite: got %s, want success", errnoString(e))
		}
		if n, e := r.sys.Writev(p.client.FD(), [][]byte{[]byte("a"), []byte("b")}); n != 0 || e != syscall.EPIPE {
			r.Fatalf("Writev after CloseWrite: got %d, %s, want 0, EPIPE and no signal", n, errnoString(e))
		}
	}},
	{name: "a Unix socket", run: func(r *rig) {
		r.unix(filepath.Join(r.TempDir(), "s"))
	}},
	{name: "an abstract Unix socket", run: func(r *rig) {
		if !r.abstract {
			r.Skip("this System has no abstract namespace")
		}
		r.unix("@millrace/" + r.Name())
	}},
	{name: "a Unix socket that does not exist", run: func(r *rig) {
		a := loop.Addr{Network: loop.Unix, Path: filepath.Join(r.TempDir(), "none")}
		if fd, e := r.sys.Connect(a, loop.SocketOptions{}); fd != loop.NoFD || e != syscall.ENOENT {
			r.Fatalf("Connect to %s: got fd %d, %s, want none, ENOENT", a, fd, errnoString(e))
		}
	}},
}

func (r *rig) unix(path string) {
	r.Helper()
	a := loop.Addr{Network: loop.Unix, Path: path}
	p := r.pairOn(a)
	if got, ok := r.sys.PeerAddr(p.client.FD()); !ok || got != a {
		r.Errorf("PeerAddr of the client: got %s, %v, want %s", got, ok, a)
	}
	if got, ok := r.sys.LocalAddr(p.server.FD()); !ok || got != a {
		r.Errorf("LocalAddr of the server: got %s, %v, want %s", got, ok, a)
	}
	r.write(p.client, "hello")
	r.read(p.server, "hello")
	r.close(p.client.FD())
	r.expect(p.server, loop.HangUp)
	r.readErr(p.server, 0)
}
