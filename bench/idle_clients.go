package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
)

// wakeSet is the number of idle connections that are woken for one median.
const wakeSet = 200

// idleClientsMain is `bench idle-clients [-tls] [-ws] ADDR N SIZE`: it opens N connections and sends one request on each (with
// -ws a message to an echo), prints "held N", and holds them until SIGTERM. At SIGUSR1 it sends a request on each of wakeSet
// connections that have been idle since then, and prints "woke P50" in nanoseconds; at SIGUSR2 it sends one more on the same
// connections, and prints "again P50". It is a separate process because the limit of descriptors is per process.
func idleClientsMain(args []string) int {
	fs := flag.NewFlagSet("bench idle-clients", flag.ContinueOnError)
	tls := fs.Bool("tls", false, "connect over TLS")
	ws := fs.Bool("ws", false, "connect as WebSockets")
	if fs.Parse(args) != nil {
		return 2
	}
	if fs.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: bench idle-clients [-tls] [-ws] ADDR N SIZE")
		return 2
	}
	addr, err := netip.ParseAddrPort(fs.Arg(0))
	n, err2 := strconv.Atoi(fs.Arg(1))
	size, err3 := strconv.Atoi(fs.Arg(2))
	if err := errors.Join(err, err2, err3); err != nil {
		fmt.Fprintln(os.Stderr, "bench: idle clients:", err)
		return 2
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	held, err := gen.Hold(gen.Stay{Addr: addr, Conns: n, Size: size, TLS: *tls, WS: *ws})
	if err == nil {
		fmt.Println("held", n)
		err = obeyHeld(held, asked)
		held.Release()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// obeyHeld handles the lab's signals until SIGTERM.
func obeyHeld(held *gen.Held, asked <-chan os.Signal) error {
	for sig := range asked {
		var p50 time.Duration
		var err error
		var word string
		switch sig {
		case syscall.SIGUSR1:
			word = "woke"
			p50, err = held.Wake(wakeSet)
		case syscall.SIGUSR2:
			word = "again"
			p50, err = held.Again()
		default:
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println(word, p50.Nanoseconds())
	}
	return nil
}

// request makes the idle clients send their requests, by signal, and returns their median.
func (p *process) request(sig syscall.Signal, word string) (p50 time.Duration, err error) {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return 0, fmt.Errorf("bench: %s: signal for requests: %w", p.name, err)
	}
	line, err := p.line(word, answerTimeout)
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("bench: %s: read the median: %w", p.name, err)
	}
	return time.Duration(ns), nil
}
