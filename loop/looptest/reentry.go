package looptest

import (
	"github.com/millrace/millrace/loop"
)

// setting is a turn in which two of each kind of callback are due. One callback performs an action, and the others must
// still work.
type setting struct {
	*rig
	a, b         *hand
	spare        loop.FD // for a new registration
	soon, late   *alarm
	chore, other *chore
}

// actions are the actions of a callback on itself and on others.
var actions = []struct {
	name string
	do   func(*setting)
}{
	{"unwatch both", func(s *setting) {
		s.unwatch(s.a)
		s.unwatch(s.b)
	}},
	{"unwatch and watch again", func(s *setting) {
		for _, h := range []*hand{s.a, s.b} {
			s.unwatch(h)
			s.watch(h, h.FD())
		}
	}},
	{"watch another descriptor instead", func(s *setting) {
		s.unwatch(s.b)
		s.watch(s.b, s.spare)
	}},
	{"close one, whose number is reused", func(s *setting) {
		fd := s.b.FD()
		_, at := s.listen(loopback)
		s.unwatch(s.b)
		s.close(fd)
		now := s.connect(at)
		if now != fd {
			s.Fatalf("Connect: got fd %d, want %d, the lowest free", now, fd)
		}
		heir := &hand{r: s.rig, name: "heir"}
		heir.does = func(n loop.Ready) bool {
			// If the event for the old connection reached this one, it would be reported readable.
			if n&loop.Readable != 0 {
				s.Errorf("the new owner of fd %d got %s, an event of the old one", fd, readyString(n))
			}
			return false
		}
		s.watch(heir, now)
	}},
	{"kick both", func(s *setting) {
		s.l.Kick(&s.a.Source)
		s.l.Kick(&s.b.Source)
	}},
	{"kick and unwatch", func(s *setting) {
		s.l.Kick(&s.b.Source)
		s.unwatch(s.b)
	}},
	{"disarm both", func(s *setting) {
		for _, a := range []*alarm{s.soon, s.late} {
			s.l.Disarm(&a.Timer)
			a.off = true
		}
	}},
	{"rearm both", func(s *setting) {
		s.l.Arm(&s.soon.Timer, s.l.Now(), s.soon)
		s.l.Arm(&s.late.Timer, s.l.Now(), s.late)
	}},
	{"undefer both", func(s *setting) {
		for _, c := range []*chore{s.chore, s.other} {
			s.l.Undefer(&c.Task)
			c.off = true
		}
	}},
	{"defer both", func(s *setting) {
		s.l.Defer(&s.chore.Task, s.chore)
		s.l.Defer(&s.other.Task, s.other)
	}},
	{"post", func(s *setting) {
		if err := s.l.Post(func() { s.unwatch(s.a) }); err != nil {
			s.Errorf("Post: %v", err)
		}
	}},
	{"drive the loop", func(s *setting) {
		if err := s.l.Service(); err == nil {
			s.Error("Service inside a callback: got success")
		}
		if err := s.l.Close(); err != loop.ErrNested {
			s.Errorf("Close inside a callback: got %v, want ErrNested", err)
		}
	}},
}

// places are the callbacks of a turn. Each performs the action once.
var places = []struct {
	name string
	set  func(s *setting, do func())
}{
	{"a posted function", func(s *setting, do func()) { s.l.Post(do) }},
	{"a timer", func(s *setting, do func()) { s.soon.does = do }},
	{"a ready source", func(s *setting, do func()) { s.a.does = func(loop.Ready) bool { do(); return true } }},
	{"a task", func(s *setting, do func()) { s.chore.does = do }},
	{"the after-turn hook", func(s *setting, do func()) { s.l.Config().AfterTurn = do }},
	{"the end of offloaded work", func(s *setting, do func()) {
		s.l.Offload(func() error { return nil }, func(error) { do() })
	}},
}

var reentryScenarios = buildReentry()

func buildReentry() (all []scenario) {
	for _, p := range places {
		for _, d := range actions {
			all = append(all, scenario{name: d.name + " in " + p.name, run: func(r *rig) {
				s := &setting{rig: r}
				r.newLoop(loop.Config{})
				var peerA, peerB loop.FD
				s.a, peerA = r.hand("a")
				s.b, peerB = r.hand("b")
				s.spare = peerA
				s.soon, s.late = &alarm{r: r, name: "soon"}, &alarm{r: r, name: "late"}
				s.chore, s.other = &chore{r: r, name: "chore"}, &chore{r: r, name: "other"}
				r.l.Arm(&s.soon.Timer, 0, s.soon)
				r.l.Arm(&s.late.Timer, 0, s.late)
				r.l.Defer(&s.chore.Task, s.chore)
				r.l.Defer(&s.other.Task, s.other)
				for _, fd := range []loop.FD{peerA, peerB} {
					if _, e := r.sys.Write(fd, []byte("bytes")); e != 0 {
						r.Fatalf("Write: %s", errnoString(e))
					}
				}
				did := 0
				hook := r.l.Config().AfterTurn
				p.set(s, func() {
					if did++; did == 1 {
						d.do(s)
					}
					if p.name == "the after-turn hook" {
						hook()
					}
				})
				r.until("the action was performed", func() bool { return did > 0 })
				r.l.Config().AfterTurn = hook
				s.a.does, s.soon.does, s.chore.does = nil, nil, nil
				r.turns(4)
				s.checkAfterwards()
			}})
		}
	}
	return all
}

// checkAfterwards checks that the loop still works.
func (s *setting) checkAfterwards() {
	s.Helper()
	h, _ := s.hand("checkAfterwards")
	s.l.Kick(&h.Source)
	s.turns(1)
	if h.calls != 1 {
		s.Errorf("afterwards, a kicked source was called %d times, want once", h.calls)
	}
	for _, h := range []*hand{h, s.a, s.b} {
		s.unwatch(h)
	}
	s.l.Disarm(&s.soon.Timer)
	s.l.Disarm(&s.late.Timer)
	if got := s.l.Stats().Timers; got != 0 {
		s.Errorf("afterwards %d timers are armed, want none", got)
	}
}
