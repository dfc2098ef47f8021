package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace/millrace/bench/internal/gen"
)

// The kinds of service that a peer can be asked for.
const (
	kindH1  = "h1"  // gen.Body to every GET
	kindRaw = "raw" // every byte back
)

// peerEnv is what a peer is told and what it can tell.
type peerEnv struct {
	kind string
	spin time.Duration // how long millrace's loop looks before it sleeps; 0 is its default
	// report says that the server accepts connections at addr. It is called once.
	report func(addr string)
	// calls, set before report by a peer that counts its system calls, returns them from any goroutine.
	calls func() map[string]uint64
}

// peers are the servers that live in this binary. Each serves until the process ends; returning is
// failing.
var peers = map[string]func(*peerEnv) error{
	"limit":    runLimit,
	"nethttp":  runNetHTTP,
	"fasthttp": runFastHTTP,
	"gonet":    runGoNet,
	"millrace": func(e *peerEnv) error { return runMillrace(e.kind, e.spin, e.report) },
}

// errNotBuilt is returned by a peer that is not part of this build.
var errNotBuilt = errors.New("not built in")

// peerMain is `bench peer NAME KIND [SPIN]`: a server that says "listening ADDR" on standard output,
// answers SIGUSR1 (free memory) with "freed ok" and SIGUSR2 with "stats JSON", and ends at SIGTERM.
func peerMain(args []string) int {
	if len(args) < 2 || peers[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: bench peer NAME h1|raw [SPIN]")
		return 2
	}
	env := &peerEnv{kind: args[1]}
	if len(args) > 2 {
		spin, err := time.ParseDuration(args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: peer:", err)
			return 2
		}
		env.spin = spin
	}
	env.report = func(addr string) {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM)
		go obey(env, asked)
		fmt.Println("listening", addr)
	}
	err := peers[args[0]](env)
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errNotBuilt) {
		return exitAbsent
	}
	return 1
}

// obey carries out the lab's signals.
func obey(env *peerEnv, asked <-chan os.Signal) {
	for sig := range asked {
		switch sig {
		case syscall.SIGUSR1:
			debug.FreeOSMemory() // collects first
			fmt.Println("freed ok")
		case syscall.SIGUSR2:
			s := stats{Goroutines: runtime.NumGoroutine()}
			if env.calls != nil {
				s.Calls = env.calls()
			}
			b, _ := json.Marshal(s) // a struct of numbers cannot fail
			fmt.Printf("stats %s\n", b)
		case syscall.SIGTERM:
			os.Exit(0)
		}
	}
}

// crowdMain is `bench crowd ADDR N SIZE`: it opens N connections, makes one request on each, says
// "held N" and holds them until SIGTERM. It is a process of its own because each has its own limit of
// descriptors.
func crowdMain(args []string) int {
	if len(args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bench crowd ADDR N SIZE")
		return 2
	}
	addr, err := netip.ParseAddrPort(args[0])
	n, err2 := strconv.Atoi(args[1])
	size, err3 := strconv.Atoi(args[2])
	if err := errors.Join(err, err2, err3); err != nil {
		fmt.Fprintln(os.Stderr, "bench: crowd:", err)
		return 2
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	release, err := gen.Hold(addr, n, size)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("held", n)
	<-stop
	release()
	return 0
}
