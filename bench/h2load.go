package main

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// h2load is the generator of the h2 suite: nghttp2's h2load, a separate program on the generator's core.
type h2load struct {
	conns, streams int // connections, and concurrent requests on each
	seconds        int
}

// h2loaded is the result of one run.
type h2loaded struct {
	done    uint64
	rate    float64       // requests per second
	bytes   uint64        // received, with frame headers and without TLS
	elapsed time.Duration // with connects and handshakes
	cpu     time.Duration // of the generator
}

// h2Cipher is the cipher suite of all servers, as in the tls suite: nghttpd would choose AES-256.
const h2Cipher = "TLS_AES_128_GCM_SHA256"

// run loads a server. A response without status 2xx is an error.
func (g h2load) run(l *lab, p *process) (h2loaded, error) {
	exe, err := findProgram("h2load")
	if err != nil {
		return h2loaded{}, errors.New("bench: h2load is not installed, and it is the generator: apt-get install nghttp2-client")
	}
	begin := time.Now()
	c, err := l.spawn("h2load", l.clientCore, exec.Command(exe, "-c", strconv.Itoa(g.conns), "-m", strconv.Itoa(g.streams),
		"-D", strconv.Itoa(g.seconds), "--tls13-ciphers="+h2Cipher, "https://"+p.addr.String()+"/"), nil)
	if err != nil {
		return h2loaded{}, err
	}
	late := time.AfterFunc(time.Duration(g.seconds)*time.Second+answerTimeout, func() { l.stop(c) })
	defer late.Stop()
	var said strings.Builder
	for line := range c.lines {
		said.WriteString(line + "\n")
	}
	<-c.dead
	elapsed := time.Since(begin)
	if !c.cmd.ProcessState.Success() {
		return h2loaded{}, fmt.Errorf("bench: h2load: %v: %s%s", c.cmd.ProcessState, said.String(), c.errs.String())
	}
	r, err := parseH2load(said.String())
	r.elapsed, r.cpu = elapsed, c.cmd.ProcessState.UserTime()+c.cmd.ProcessState.SystemTime()
	return r, err
}

// h2loadSays matches the lines of its report that we use.
var h2loadSays = regexp.MustCompile(`(?s)Cipher: (\S+)\n.*Application protocol: (\S+)\n.*, ([0-9.]+) req/s, .*` +
	`requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed.*traffic: \S+ \((\d+)\) total`)

func parseH2load(out string) (r h2loaded, err error) {
	m := h2loadSays.FindStringSubmatch(out)
	if m == nil {
		return r, fmt.Errorf("bench: h2load: no figures in %q", out)
	}
	r.rate, err = strconv.ParseFloat(m[3], 64)
	if err != nil {
		return r, fmt.Errorf("bench: h2load: %w", err)
	}
	var n [4]uint64
	for i, s := range m[4:] {
		if n[i], err = strconv.ParseUint(s, 10, 64); err != nil {
			return r, fmt.Errorf("bench: h2load: %w", err)
		}
	}
	r.done, r.bytes = n[0], n[3]
	if m[1] != h2Cipher || m[2] != "h2" || r.done == 0 || n[1] != r.done || n[2] != 0 {
		return r, fmt.Errorf("bench: h2load: %s over %s, %d responses, %d with 2xx, %d failed: %s", m[2], m[1], r.done, n[1], n[2], out)
	}
	return r, nil
}
