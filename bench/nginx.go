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

// nginxConf is nginx as an operator would set it for one core, less what costs and is not the
// question (the access log), and with no bound on the age of a connection. It runs without a master,
// so that the process that was started is the one that works, is measured, and is stopped. The
// temporary paths are named because the compiled-in ones may not be writable; nothing is put there.
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

// nginxTLS continues the line that says where nginx listens, the protocol being " http2" or nothing. Certificate and key apart, versions, suites,
// groups and tickets are those it comes with; 1.22 has to be told of TLS 1.3.
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
	if err == nil && (kind == kindBulk || kind == kindHaul) {
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

// writeBulk makes the file that nginx serves as the bulk.
func writeBulk(name string) error {
	body, err := io.ReadAll(&bulk{})
	if err != nil {
		return err
	}
	return os.WriteFile(name, body, 0o644)
}
