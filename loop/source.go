package loop

import (
	"fmt"
	"syscall"
	"time"
)

// Handler is told what a watched descriptor can do.
type Handler interface {
	// Ready is called at most once per turn. r is the readiness that is new since the last call, 0
	// when the source was only kicked. It returns true to be called in the next turn too, because it
	// stopped at a budget and not at EAGAIN.
	Ready(now time.Duration, r Ready) (again bool)
	// Label names the handler in reports. It is called only when there is one to make.
	Label() string
}

// Source ties a descriptor to its Handler. It is embedded in the object that owns the descriptor; the
// zero value is ready for Watch. It is neither copied nor overwritten while it is watched.
type Source struct {
	h       Handler
	fd      FD
	gen     uint32 // of the present or last registration; never 0 once watched
	turn    uint32 // the turn in which Ready was last called
	pending Ready  // news since then
	bits    uint8
}

const (
	sourceWatched uint8 = 1 << iota
	sourceQueued        // stands in cur, next or newcomers
	sourceNewcomer
)

// FD returns the descriptor last watched, also after Unwatch, so that it can be closed; NoFD before.
func (s *Source) FD() FD {
	if s.gen == 0 {
		return NoFD
	}
	return s.fd
}

// Watched says whether the source is registered.
func (s *Source) Watched() bool { return s.bits&sourceWatched != 0 }

// Due reports whether Ready is going to be called, for an event that was fetched or for a Kick.
func (s *Source) Due() bool { return s.bits&sourceQueued != 0 }

// Watch registers fd in both directions, edge-triggered, and has h called with what it can do, first
// with its present state. It fails when s or fd is watched already, when the System refuses, and on a
// poisoned loop.
func (l *Loop) Watch(s *Source, fd FD, h Handler) error {
	switch {
	case s.Watched():
		return fmt.Errorf("loop: watch: fd %d: the source already watches fd %d: %w", fd, s.fd, syscall.EEXIST)
	case fd < 0:
		return fmt.Errorf("loop: watch: fd %d: %w", fd, syscall.EBADF)
	case l.sources.get(fd) != nil:
		return fmt.Errorf("loop: watch: fd %d: watched by %s: %w", fd, l.sources.get(fd).h.Label(), syscall.EEXIST)
	case l.poison.Load() != nil:
		return l.poison.Load()
	}
	gen := l.gen + 1
	if gen == 0 {
		gen = 1
	}
	l.gen = gen
	if err := l.sys.Add(fd, MakeToken(fd, gen)); err != nil {
		return fmt.Errorf("loop: watch: fd %d: %w", fd, err)
	}
	s.h, s.fd, s.gen, s.pending, s.bits = h, fd, gen, 0, sourceWatched
	l.sources.set(fd, s)
	l.stats.Sources++
	return nil
}

// Unwatch ends the registration; it is called before the descriptor is closed. The handler is not
// called for it any more, not even for events that this turn has fetched already. Unwatching a source
// that is not watched does nothing.
func (l *Loop) Unwatch(s *Source) {
	if !s.Watched() {
		return
	}
	l.sys.Remove(s.fd)
	l.sources.set(s.fd, nil)
	s.h, s.pending, s.bits = nil, 0, 0
	l.stats.Sources--
}

// Move transfers a registration from one source to another, which is not watched, with all that is pending, and has h
// called from now on. It makes no system call. Inside from's Ready, the result of that call counts for to.
func (l *Loop) Move(to, from *Source, h Handler) {
	if !from.Watched() || to.Watched() {
		panic("loop: move: from must be watched, and to must not be")
	}
	to.h, to.fd, to.gen, to.turn, to.pending, to.bits = h, from.fd, from.gen, from.turn, from.pending, from.bits
	l.sources.set(to.fd, to)
	from.h, from.pending, from.bits = nil, 0, 0
}

// Newcomer marks a source, once it is watched, as one whose connection does not stand yet, or no longer
// so. Newcomers are served after all others, in order, and at most Config.Newcomers of them in a turn: a
// storm of them delays itself, not the connections that are up.
func (l *Loop) Newcomer(s *Source, is bool) {
	if is {
		s.bits |= sourceNewcomer
	} else {
		s.bits &^= sourceNewcomer
	}
}

// Kick has Ready called though nothing happened: in this turn, if the source has not run in it and
// sources are still being served, else in the next; a newcomer waits for those before it. Kicking a
// source that is not watched does nothing.
func (l *Loop) Kick(s *Source) {
	if s.Watched() {
		l.enqueue(s)
	}
}

func (l *Loop) enqueue(s *Source) {
	if s.bits&sourceQueued != 0 {
		return
	}
	s.bits |= sourceQueued
	if tok := MakeToken(s.fd, s.gen); s.bits&sourceNewcomer != 0 {
		l.newcomers.add(tok)
	} else if s.turn == l.turns || l.phase == phaseIdle || l.phase == phaseLate {
		l.next.add(tok)
	} else {
		l.cur.add(tok)
	}
}

// runReady serves the sources in cur: those left over from the last turn, then those kicked in this
// one, then those with events, then those that the served ones kick; and after them newcomers. Queues
// hold tokens and not pointers, so a source may vanish, or come back, at any moment.
func (l *Loop) runReady(events []Event) {
	for _, e := range events {
		if s := l.sources.find(e.Token); s != nil {
			s.pending |= e.Ready
			l.enqueue(s)
		}
	}
	l.shareAmong(len(l.cur.items))
	for i, left := 0, l.c.Newcomers; i < len(l.cur.items) || left > 0; {
		if i < len(l.cur.items) {
			if s := l.sources.find(l.cur.items[i]); s != nil {
				l.serve(s)
			}
			i++
			continue
		}
		tok, ok := l.newcomers.first()
		if !ok {
			break
		}
		s := l.sources.find(tok)
		if s != nil && s.turn == l.turns {
			break // all of them were served, and this one comes round again
		}
		l.newcomers.drop()
		if s != nil {
			l.serve(s)
			left--
		}
	}
	l.cur.reset()
	l.active.handler = nil
}

// serve calls a source's handler.
func (l *Loop) serve(s *Source) {
	tok, r := MakeToken(s.fd, s.gen), s.pending
	s.pending, s.turn = 0, l.turns
	s.bits &^= sourceQueued
	l.active.kind, l.active.handler = activeHandler, s.h
	again := s.h.Ready(l.now, r)
	l.lap()
	if again {
		if s := l.sources.find(tok); s != nil {
			l.enqueue(s)
		}
	}
}

// sourceTable finds sources by descriptor. It grows by pages, so that no growth copies a large table
// and none leaves the old one behind as garbage.
type sourceTable struct {
	pages []*sourcePage
}

const sourcePageSize = 512

type sourcePage [sourcePageSize]*Source

func (t *sourceTable) get(fd FD) *Source {
	if p := int(fd) / sourcePageSize; p < len(t.pages) && t.pages[p] != nil {
		return t.pages[p][fd%sourcePageSize]
	}
	return nil
}

// find returns the source registered under tok, nil when that registration has ended.
func (t *sourceTable) find(tok Token) *Source {
	if fd := tok.FD(); fd >= 0 {
		if s := t.get(fd); s != nil && s.gen == tok.Gen() {
			return s
		}
	}
	return nil
}

func (t *sourceTable) set(fd FD, s *Source) {
	p := int(fd) / sourcePageSize
	for p >= len(t.pages) {
		t.pages = append(t.pages, nil)
	}
	if t.pages[p] == nil {
		t.pages[p] = new(sourcePage)
	}
	t.pages[p][fd%sourcePageSize] = s
}
