package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/bench/internal/gen"
)

// nginxConf is a typical operator's configuration of nginx for one core, without the access log, whose cost is not
// measured here, and without a limit on the age of a connection. It runs without a master process,
// so that the started process is the one that serves, is measured, and is stopped. It names the
// temporary paths because the compiled-in ones may not be writable; they stay empty.
const nginxConf = `daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile %[1]d;
error_log stderr crit;
pid %[2]s/nginx.pid;
events { worker_connections %[1]d; }
http {
	access_log off;
	server_tokens off;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	server {
		listen %[3]s%[4]s;
		location / {
			default_type text/plain;
			return 200 "Hello, World!\n";
		}
		location = ` + gen.BulkPath + ` {
			root %[2]s;
		}
	}
}
`

// nginxTLS continues the listen line; the protocol is " http2" or empty. Versions, suites, groups and tickets are nginx's
// defaults, but 1.22 enables TLS 1.3 only on request.
const nginxTLS = ` ssl%[2]s;
		ssl_certificate %[1]s/` + certFile + `;
		ssl_certificate_key %[1]s/` + keyFile + `;
		ssl_protocols TLSv1.2 TLSv1.3`

// startNginx starts nginx.
func (l *lab) startNginx(kind string) (*process, error) {
	exe, addr, err := l.outside("nginx")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-nginx-")
	if err != nil {
		return nil, fmt.Errorf("bench: start nginx: %w", err)
	}
	clean := func() { os.RemoveAll(dir) }
	var limit unix.Rlimit
	err = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	conf := filepath.Join(dir, "nginx.conf")
	if err == nil {
		over := ""
		if secure(kind) {
			protocol := ""
			if kind == kindH2 {
				protocol = " http2"
			}
			over = fmt.Sprintf(nginxTLS, l.creds.dir, protocol)
		}
		err = os.WriteFile(conf, fmt.Appendf(nil, nginxConf, limit.Max, dir, addr, over), 0o644)
	}
	if err == nil && (kind == kindBulk || kind == kindBulkH1) {
		err = writeBulk(filepath.Join(dir, gen.BulkPath))
	}
	if err != nil {
		clean()
		return nil, fmt.Errorf("bench: start nginx: %w", err)
	}
	p, err := l.spawn(nameNginx, l.serverCore, exec.Command(exe, "-p", dir, "-c", conf, "-e", "stderr"), clean)
	if err != nil {
		clean()
		return nil, err
	}
	p.addr = addr
	return p, p.listening()
}

// writeBulk writes the file that nginx serves as the bulk.
func writeBulk(name string) error {
	body, err := io.ReadAll(&bulk{})
	if err != nil {
		return err
	}
	return os.WriteFile(name, body, 0o644)
}
