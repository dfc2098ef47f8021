package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/millrace/millrace/bench/internal/gen"
)

// startNghttpd starts nghttp2's own server in its default configuration, with one thread. It serves only files, so the
// body is a file; it also sends last-modified and cache-control by default.
func (l *lab) startNghttpd(kind string) (*process, error) {
	if kind != kindH2 {
		return nil, fmt.Errorf("bench: nghttpd: unknown kind %q", kind)
	}
	exe, addr, err := l.outside("nghttpd")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-nghttpd-")
	if err != nil {
		return nil, fmt.Errorf("bench: start nghttpd: %w", err)
	}
	clean := func() { os.RemoveAll(dir) }
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(gen.Body), 0o644); err != nil {
		clean()
		return nil, fmt.Errorf("bench: start nghttpd: %w", err)
	}
	p, err := l.spawn(nameNghttpd, l.serverCore, exec.Command(exe, "--htdocs", dir, "--address", addr.Addr().String(),
		strconv.Itoa(int(addr.Port())), filepath.Join(l.creds.dir, keyFile), filepath.Join(l.creds.dir, certFile)), clean)
	if err != nil {
		clean()
		return nil, err
	}
	p.addr = addr
	return p, p.listening()
}
