package loop

import (
	"fmt"
	"syscall"
	"time"
)

// Handler receives the readiness of a watched descriptor.
type Handler interface {
	// Ready is called at most once per turn. r is the readiness that is new since the last call; it is 0 if the source
	// was only kicked. Ready returns true to be called in the next turn too, if it stopped at a budget and not at
	// EAGAIN.
	Ready(now time.Duration, r Ready) (again bool)
	// Label names the handler in reports. It is called only for a report.
	Label() string
}

// Source connects a descriptor to its Handler. It is embedded in the object that owns the descriptor; the zero value
// is ready for Watch. It must not be copied or overwritten while it is watched.
type Source struct {
	h       Handler
	fd      FD
	gen     uint32 // of the present or last registration; never 0 after the first Watch
	turn    uint32 // the turn in which Ready was last called
	pending Ready  // readiness since then
	bits    uint8
}

const (
	sourceWatched uint8 = 1 << iota
	sourceQueued        // is in cur, next or unestablished
	sourceUnestablished
)

// FD returns the descriptor that was last watched, also after Unwatch, so that the owner can close it. It returns
// NoFD before the first Watch.
func (s *Source) FD() FD {
	if s.gen == 0 {
		return NoFD
	}
	return s.fd
}

// Watched reports whether the source is registered.
func (s *Source) Watched() bool { return s.bits&sourceWatched != 0 }

// Due reports whether Ready is about to be called, for a fetched event or for a Kick.
func (s *Source) Due() bool { return s.bits&sourceQueued != 0 }

// Watch registers fd in both directions, edge-triggered, and calls h with its readiness, first with its present
// state. It returns an error if s or fd is already watched, if the System refuses, or if the loop is poisoned.
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

// Unwatch ends the registration; call it before the descriptor is closed. The handler is not called for the
// descriptor any more, not even for events that this turn has already fetched. Unwatch of a source that is not
// watched has no effect.
func (l *Loop) Unwatch(s *Source) {
	if !s.Watched() {
		return
	}
	l.sys.Remove(s.fd)
	l.sources.set(s.fd, nil)
	s.h, s.pending, s.bits = nil, 0, 0
	l.stats.Sources--
}

// Move transfers a registration, with its pending readiness, to another source, which must not be watched, and calls
// h from now on. It makes no system call. If it is called inside from's Ready, the result of that Ready applies to
// to.
func (l *Loop) Move(to, from *Source, h Handler) {
	if !from.Watched() || to.Watched() {
		panic("loop: move: from must be watched, and to must not be")
	}
	to.h, to.fd, to.gen, to.turn, to.pending, to.bits = h, from.fd, from.gen, from.turn, from.pending, from.bits
	l.sources.set(to.fd, to)
	from.h, from.pending, from.bits = nil, 0, 0
}

// SetUnestablished marks a watched source as one whose connection is not established yet, or is established now.
// Unestablished sources are served after all others, in order, and at most Config.Unestablished of them per turn:
// many new connections delay each other, not the established ones.
func (l *Loop) SetUnestablished(s *Source, is bool) {
	if is {
		s.bits |= sourceUnestablished
	} else {
		s.bits &^= sourceUnestablished
	}
}

// Kick calls Ready without an event: in this turn if Ready was not called in it yet and sources are still being served,
// otherwise in the next. An unestablished source keeps its position in their queue. Kick of a source that is not
// watched has no effect.
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
	if tok := MakeToken(s.fd, s.gen); s.bits&sourceUnestablished != 0 {
		l.unestablished.add(tok)
	} else if s.turn == l.turns || l.phase == phaseIdle || l.phase == phaseLate {
		l.next.add(tok)
	} else {
		l.cur.add(tok)
	}
}

// runReady serves the sources in cur: those left from the last turn, those kicked in this one, those with events, and
// those that served sources kick; and then unestablished ones. The queues contain tokens and not pointers, so a
// source may be unwatched, or watched again, at any time.
func (l *Loop) runReady(events []Event) {
	for _, e := range events {
		if s := l.sources.find(e.Token); s != nil {
			s.pending |= e.Ready
			l.enqueue(s)
		}
	}
	l.shareAmong(len(l.cur.items))
	for i, left := 0, l.c.Unestablished; i < len(l.cur.items) || left > 0; {
		if i < len(l.cur.items) {
			if s := l.sources.find(l.cur.items[i]); s != nil {
				l.serve(s)
			}
			i++
			continue
		}
		tok, ok := l.unestablished.first()
		if !ok {
			break
		}
		s := l.sources.find(tok)
		if s != nil && s.turn == l.turns {
			break // all of them were served, and this one is queued again
		}
		l.unestablished.drop()
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
	l.checkSlow()
	if again {
		if s := l.sources.find(tok); s != nil {
			l.enqueue(s)
		}
	}
}

// sourceTable finds sources by descriptor. It grows by pages, so that growing copies no large table and leaves no
// garbage.
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

// find returns the source registered under tok, or nil if that registration has ended.
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
