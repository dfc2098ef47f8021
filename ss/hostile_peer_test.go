package ss_test

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/sim"
)

// hostilePeer is one connection of a machine that means no good: a state machine on a bare socket. Each step it reads
// what there is, unless it has gone deaf, and does one thing at random: it says something, right or wrong, in whole or in
// part, or stalls, or goes deaf, or ends the connection in one of several ways.
type hostilePeer struct {
	c      *hostile
	r      *rand.Rand
	host   *sim.Host
	fd     loop.FD
	script *hostileScript
	out    []byte
	steps  int // that are left
	temper float64
	deaf   bool
	fin    bool // our direction is over
	over   bool
	heard  int
}

// newHostilePeer makes one of the connection fd.
func (c *hostile) newHostilePeer(fd loop.FD, proto string, server bool) *hostilePeer {
	r := rand.New(rand.NewPCG(c.seed, c.r.Uint64()))
	p := &hostilePeer{c: c, r: r, host: c.evil, fd: fd, script: newHostileScript(r, proto, server)}
	p.script.hello = c.hello
	p.steps = 1 + r.IntN(20)
	p.temper = []float64{0, 0.05, 0.3, 0.9}[r.IntN(4)] // how often it breaks the rules
	c.peers = append(c.peers, p)
	p.later()
	return p
}

// later has the next step made.
func (p *hostilePeer) later() {
	d := time.Duration(p.r.IntN(20_000)) * time.Microsecond
	switch p.r.IntN(30) {
	case 0:
		d = time.Duration(p.r.IntN(5000)) * time.Millisecond
	case 1:
		d = time.Duration(p.r.IntN(60)) * time.Second
	case 2, 3, 4, 5, 6, 7, 8, 9:
		d = 0
	}
	p.c.Net.At(d, p.step)
}

func (p *hostilePeer) step() {
	if p.over || p.c.frozen {
		return
	}
	if !p.deaf {
		p.read()
	}
	if p.over {
		return
	}
	p.flush()
	if p.steps--; p.steps < 0 || p.c.ending {
		p.end()
		return
	}
	switch x := p.r.IntN(40); {
	case x == 0:
		p.end()
		return
	case x == 1:
		p.deaf = !p.deaf
	case x == 2 && !p.fin:
		p.fin = true
		p.host.CloseWrite(p.fd)
	case x <= 4: // nothing
	case len(p.out) > 0 || p.fin:
	default:
		p.say()
	}
	p.later()
}

// say puts together what is to be sent.
func (p *hostilePeer) say() {
	for range 1 + p.r.IntN(4) {
		b := p.script.unit
		if p.r.Float64() < p.temper {
			b = p.script.bad
		}
		p.out = append(p.out, b()...)
	}
	if p.r.IntN(5) == 0 && len(p.out) > 0 {
		p.out = p.out[:p.r.IntN(len(p.out))] // and no more of it
	}
	p.flush()
}

func (p *hostilePeer) flush() {
	for len(p.out) > 0 && !p.fin && !p.over {
		n := len(p.out)
		if p.r.IntN(4) == 0 {
			n = 1 + p.r.IntN(n)
		}
		k, e := p.host.Write(p.fd, p.out[:n])
		if e == syscall.EAGAIN {
			return
		}
		if e != 0 {
			p.out = nil
			return
		}
		p.out = p.out[k:]
		if k < n || p.r.IntN(8) == 0 {
			return // the rest with the next step
		}
	}
}

func (p *hostilePeer) read() {
	buf := p.c.buf[:]
	for range 64 { // a flood is not read to its end
		n, e := p.host.Read(p.fd, buf)
		switch {
		case e == syscall.EAGAIN:
			return
		case e != 0:
			p.close(false)
			return
		case n == 0:
			if p.r.IntN(2) == 0 || p.fin {
				p.close(false) // else it goes on to send, for a while
			}
			return
		}
		p.heard += n
		p.script.hear(buf[:n])
	}
}

// end is the end of what it has to say: it goes in one of three ways, or stays and is silent.
func (p *hostilePeer) end() {
	switch p.r.IntN(4) {
	case 0:
		p.close(true)
	case 1:
		if p.c.ending {
			p.close(false)
		}
		return
	default:
		p.close(false)
	}
}

func (p *hostilePeer) close(reset bool) {
	if p.over {
		return
	}
	p.over = true
	if reset {
		p.host.Abort(p.fd)
	} else {
		p.host.Close(p.fd)
	}
}

// attack connects to one of the server machine's ports, now and later.
func (c *hostile) attack(port uint16, proto string, times int) {
	fd, e := c.evil.Connect(loop.Addr{IP: netip.AddrPortFrom(serverIP, port)}, loop.SocketOptions{})
	if e == syscall.EINPROGRESS || e == 0 {
		c.newHostilePeer(fd, proto, false)
	}
	if times > 1 && !c.ending {
		c.Net.At(time.Duration(c.r.IntN(3000))*time.Millisecond, func() { c.attack(port, proto, times-1) })
	}
}

// lure listens on a port of the hostile machine, and accepts who comes.
func (c *hostile) lure(port uint16, proto string) {
	l, _, err := c.evil.Listen(loop.Addr{IP: netip.AddrPortFrom(peerIP, port)}, loop.ListenOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	var look func()
	look = func() {
		for {
			fd, e := c.evil.Accept(l)
			if e != 0 {
				break
			}
			c.newHostilePeer(fd, proto, true)
		}
		if c.ending {
			c.evil.Close(l)
			return
		}
		c.Net.At(time.Duration(1+c.r.IntN(20_000))*time.Microsecond, look)
	}
	look()
}
