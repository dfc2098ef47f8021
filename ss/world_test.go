package ss_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/sim"
	"github.com/millrace/millrace/ss"
	"github.com/millrace/millrace/ss/sstest"
)

// The package's own tests use package sstest under these names, and add what only they need: peers on bare sockets, which
// share no code with the roles, and the *testing.T.

type (
	plan   = sstest.Options
	script = sstest.Script
)

var (
	newScript = sstest.NewScript
	answer    = sstest.Answer
	speak     = sstest.Speak
	short     = sstest.Short

	clientIP, serverIP = sstest.ClientIP, sstest.ServerIP
)

// world is a World of package sstest.
type world struct {
	*sstest.World
	t     testing.TB
	third *sim.Host // of peers without a reactor; nil while there are none
}

func newWorld(t testing.TB, doc string, p plan) *world {
	t.Helper()
	return &world{World: sstest.New(t, doc, p), t: t}
}

// quoted shows short payload itself, of other payload its size.
func quoted(b []byte) string {
	if len(b) > 32 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return fmt.Sprintf("%q", b)
}

// marks shows the flags of a piece of payload.
func marks(f ss.Flags) (s string) {
	if f&ss.SOM != 0 {
		s = "|SOM"
	}
	if f&ss.EOM != 0 {
		s += "|EOM"
	}
	return s
}
