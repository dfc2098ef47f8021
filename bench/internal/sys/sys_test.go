package sys

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The life of one connection: dial from another loopback address, accept, a byte in each direction, reset.
func TestConnectionLife(t *testing.T) {
	ln, addr, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ln)
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	if _, errno := Accept(ln); errno != unix.EAGAIN {
		t.Fatalf("accept before a dial: got %v, want EAGAIN", errno)
	}
	client, err := Dial(netip.MustParseAddr("127.0.0.5"), addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(client, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
		t.Fatal(err)
	}
	evs, err := p.Wait(time.Second)
	if err != nil || len(evs) != 1 || int(evs[0].Fd) != client || evs[0].Events&unix.EPOLLOUT == 0 {
		t.Fatalf("connected: got events %v, %v, want the client writable", evs, err)
	}
	if err := Connected(client); err != nil {
		t.Fatal(err)
	}
	if evs, err := p.Look(); err != nil || len(evs) != 0 {
		t.Fatalf("a second Look: got %v, %v, want nothing: it is edge-triggered", evs, err)
	}
	server, errno := Accept(ln)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(server)
	if sa, err := unix.Getpeername(server); err != nil || sa.(*unix.SockaddrInet4).Addr != [4]byte{127, 0, 0, 5} {
		t.Errorf("peer: got %+v, %v, want 127.0.0.5", sa, err)
	}

	b := make([]byte, 8)
	if _, errno := Read(server, b); errno != unix.EAGAIN {
		t.Errorf("read before anything was sent: got %v, want EAGAIN", errno)
	}
	if n, errno := Write(client, []byte("ping")); n != 4 || errno != 0 {
		t.Errorf("write: got %d, %v", n, errno)
	}
	if n, errno := Read(server, b); string(b[:n]) != "ping" || errno != 0 {
		t.Errorf("read: got %q, %v", b[:n], errno)
	}
	Abort(client)
	if n, errno := Read(server, b); errno != unix.ECONNRESET {
		t.Errorf("read after the client's abort: got %d bytes, %v, want ECONNRESET", n, errno)
	}
}

func TestConnectedTellsRefusal(t *testing.T) {
	ln, addr, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(ln)
	fd, err := Dial(netip.MustParseAddr("127.0.0.1"), addr)
	if err != nil {
		return // refused at once, which the kernel may do on loopback
	}
	defer unix.Close(fd)
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Add(fd, unix.EPOLLOUT); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(time.Second); err != nil {
		t.Fatal(err)
	}
	if err := Connected(fd); err == nil {
		t.Error("connected to a closed port")
	}
}
