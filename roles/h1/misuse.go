package h1

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/machine"
	"github.com/millrace/millrace/roles/http"
)

func misuse(what string) error { return fmt.Errorf("h1: %s: %w", what, http.ErrMisuse) }

var (
	errReset      = errors.New("h1: exchange: reset by the handler")
	errGone       = errors.New("h1: exchange: connection closed by its owner")
	errCommitHeld = misuse("commit: body before 100 (Continue)")
	errCommitOver = misuse("commit: more than Room returned")
	errCommitHead = misuse("commit: body without a head")
	errCommitLess = misuse("commit: body ends before its announced length")
	errHeadTwice  = misuse("send head: a final head was sent already")
	errHeadStatus = misuse("send head: status out of range")
	errHeadSize   = misuse("send head: longer than one room")
	errHeadEnd    = misuse("send head: no body, but a length above 0")
	errHeadName   = misuse("send head: field name is not a token")
	errHeadValue  = misuse("send head: illegal octet or outer whitespace in a field value")
	errHeadFrame  = misuse("send head: framing field, or Date at a server, in Fields")
	errHeadTarget = misuse("send head: illegal target")
	errHeadMethod = misuse("send head: method is not a token, or is CONNECT")
	errHeadHost   = misuse("send head: authority is not host[:port]")
	errHead10     = misuse("send head: HTTP/1.0 request with a body of unknown length")
	errHeadUp     = misuse("send head: status 101 needs Upgrade")
	errUpgrade    = misuse("upgrade: not the current exchange, or it has a body or a final head already")
)

// illegalMove returns the cause with which an end closes its connection because of a move that t does not have: a bug of
// this package.
func illegalMove(t *machine.Table, from, to uint8) error {
	return fmt.Errorf("h1: illegal move of %s from %s to %s, a bug of this package", t.Name, t.States[from].Name, t.States[to].Name)
}
