package sstest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/ss"
)

// history follows one handle through both tables.
type history struct {
	life, last ss.State
	told       []string
	over       bool
}

// eventsAt is written down here once more, apart from the table of package ss: in which states of life a stream may
// receive which event.
var eventsAt = map[ss.State][]ss.State{
	ss.Poll:         {ss.Creating, ss.Disconnected, ss.Unreachable, ss.AllRetriesFailed},
	ss.QOSAckRemote: {ss.Connected}, ss.QOSNackRemote: {ss.Connected},
	ss.ServerTxn: {ss.Connected}, ss.ServerUpgrade: {ss.Connected},
	ss.Timeout: {ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Unreachable,
		ss.AuthFailed, ss.AllRetriesFailed},
	ss.EventWaitCancel: {ss.Creating, ss.Connecting, ss.Connected, ss.Disconnected, ss.Unreachable,
		ss.AuthFailed, ss.AllRetriesFailed},
}

// IsEvent reports whether s is an event, which changes nothing in a stream's life, and not a move.
func IsEvent(s ss.State) bool {
	_, is := eventsAt[s]
	return is
}

// watch follows the handles of a world.
type watch struct {
	t    TB
	told func(h *ss.Handle, life, s ss.State) // Options.Told
	seen map[*ss.Handle]*history
}

// observe holds every state of every handle against both tables. It is ss.Config.Observe.
func (w *watch) observe(h *ss.Handle, s ss.State, _ ss.Notice) {
	l := w.seen[h]
	if l == nil {
		l = new(history)
		w.seen[h] = l
	}
	l.told = append(l.told, Short(s))
	bad := func(why string) {
		w.t.Errorf("%s: %s\n  told: %s", h.StreamType(), why, strings.Join(l.told, " "))
	}
	if l.over {
		bad("received something after DESTROYING")
	}
	if w.told != nil {
		w.told(h, l.life, s)
	}
	if !ReferenceAllows(l.last, s) {
		bad(fmt.Sprintf("the reference does not allow %v after %v", s, l.last))
	}
	if s >= ss.UserBase {
		return
	}
	if s != ss.EventWaitCancel && s != ss.UpstreamLinkRetry {
		l.last = s
	}
	if at, event := eventsAt[s]; event {
		if !slices.Contains(at, l.life) {
			bad(fmt.Sprintf("event %v in %v", s, l.life))
		}
		return
	}
	legal := false
	for _, m := range ss.Transitions() {
		legal = legal || m.From == l.life && m.To == s
	}
	if !legal {
		bad(fmt.Sprintf("move from %v to %v", l.life, s))
	}
	l.life = s
	l.over = s == ss.Destroying
}

// end reports the handles that received no DESTROYING.
func (w *watch) end() {
	for h, l := range w.seen {
		if !l.over {
			w.t.Errorf("%s: received no DESTROYING: %s", h.StreamType(), strings.Join(l.told, " "))
		}
	}
}
