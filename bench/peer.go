package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// The kinds of service of a peer.
const (
	kindH1     = "h1"      // gen.Body to every GET
	kindBulkH1 = "bulk-h1" // gen.Bulk to every GET
	kindRaw    = "raw"     // echoes every byte

	kindTLS  = "tls"  // gen.Body to every GET, over TLS
	kindBulk = "bulk" // gen.Bulk to every GET, over TLS
	kindH2   = "h2"   // gen.Body to every GET, over HTTP/2 and TLS

	kindWS  = "ws"  // echoes every message of a WebSocket
	kindWSS = "wss" // the same over TLS
	kindFan = "fan" // sends every message of a WebSocket to all subscribers: see gen.Fan
)

// secure reports whether a kind of service uses TLS.
func secure(kind string) bool {
	return kind == kindTLS || kind == kindBulk || kind == kindH2 || kind == kindWSS
}

// peerEnv holds a peer's parameters, and the functions by which it reports.
type peerEnv struct {
	kind string
	spin time.Duration // how long millrace's loop polls before it sleeps; 0 is its default
	// quiet is the idle time after which millrace puts a TLS session to sleep: 0 is its default, negative is never.
	quiet time.Duration
	cert  string // the directory of credentials, for the kinds with TLS
	// report reports that the server accepts connections at addr. The peer calls it once.
	report func(addr string)
	// calls returns the system calls that the peer counts, from any goroutine. A peer that counts sets it before report.
	calls func() map[string]uint64
}

// peers are the servers in this binary. Each serves until the process exits; it returns only on failure.
var peers = map[string]func(*peerEnv) error{
	"limit":    runLimit,
	"nethttp":  runNetHTTP,
	"fasthttp": runFastHTTP,
	"gonet":    runGoNet,
	"gws":      runGWS,
	"gorilla":  runGorilla,
	"coder":    runCoder,
	"millrace": func(e *peerEnv) error { return runMillrace(e) },
}

// errNotBuilt is returned by a peer that is not part of this build.
var errNotBuilt = errors.New("not built in")

// peerMain is `bench peer [-spin D] [-quiet D] [-cert DIR] NAME KIND`: a server that prints "listening ADDR" on standard output,
// answers SIGUSR1 (free memory) with "freed ok" and SIGUSR2 with "stats JSON", and exits at SIGTERM.
func peerMain(args []string) int {
	env := new(peerEnv)
	fs := flag.NewFlagSet("bench peer", flag.ContinueOnError)
	fs.DurationVar(&env.spin, "spin", 0, "how long millrace's loop looks before it sleeps")
	fs.DurationVar(&env.quiet, "quiet", 0, "after how long millrace puts a TLS session to sleep; negative: never")
	fs.StringVar(&env.cert, "cert", "", "directory of certificate and key")
	if fs.Parse(args) != nil {
		return 2
	}
	serve := peers[fs.Arg(0)]
	if fs.NArg() != 2 || serve == nil {
		fmt.Fprintln(os.Stderr, "usage: bench peer [-spin D] [-quiet D] [-cert DIR] NAME h1|bulk-h1|raw|tls|bulk|h2|ws|wss|fan")
		return 2
	}
	env.kind = fs.Arg(1)
	env.report = func(addr string) {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM)
		go obey(env, asked)
		fmt.Println("listening", addr)
	}
	err := serve(env)
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errNotBuilt) {
		return exitAbsent
	}
	return 1
}

// obey handles the lab's signals.
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
			b, _ := json.Marshal(s) // marshalling a struct of numbers cannot fail
			fmt.Printf("stats %s\n", b)
		case syscall.SIGTERM:
			os.Exit(0)
		}
	}
}
