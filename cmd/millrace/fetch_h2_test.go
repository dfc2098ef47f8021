package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
)

// TestFetchAnnouncesWindowsForDownloads checks the windows that fetch grants an HTTP/2 server, for a stream and a connection.
func TestFetchAnnouncesWindowsForDownloads(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	windows := make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
			stream, conn := uint32(65535), uint32(65535)
			var head [9]byte
			for range 2 {
				io.ReadFull(c, head[:])
				p := make([]byte, int(head[1])<<8|int(head[2]))
				io.ReadFull(c, p)
				switch head[3] {
				case 4:
					for ; len(p) >= 6; p = p[6:] {
						if p[1] == 4 {
							stream = binary.BigEndian.Uint32(p[2:])
						}
					}
				case 8:
					conn += binary.BigEndian.Uint32(p)
				}
			}
			windows <- fmt.Sprint(stream, " ", conn)
			c.Close()
		}
	}()
	run("fetch", "--http2", "http://"+l.Addr().String()+"/", "--timeout", "5s")
	if got, want := <-windows, fmt.Sprint(4<<20, " ", 8<<20); got != want {
		t.Errorf("windows of a stream and of the connection: got %s, want %s", got, want)
	}
}

// TestFetchOfManyLargeBodies checks that paused streams, whose bodies exceed all windows, do not stop the stream that is
// written.
func TestFetchOfManyLargeBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 80 MB")
	}
	url, _, _ := http2Server(t, false, true)
	const size, n = 16 << 20, 5
	args := []string{"fetch", "--http2", "-o", "/dev/null", "--timeout", "60s"}
	for i := range n {
		args = append(args, fmt.Sprintf("%s/big/%d/%d", url, size, i))
	}
	run(args...).expect(t, exitOK, "")
}
