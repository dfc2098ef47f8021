package looptest

import (
	"github.com/millrace/millrace/loop"
)

// scene is a turn in which two of everything are due: whatever is done at one place, the rest must
// cope with it.
type scene struct {
	*rig
	a, b         *hand
	spare        loop.FD // for a new registration
	soon, late   *alarm
	chore, other *chore
}

// deeds are what a callback may do to itself and to others.
var deeds = []struct {
	name string
	do   func(*scene)
}{
	{"unwatch both", func(s *scene) {
		s.unwatch(s.a)
		s.unwatch(s.b)
	}},
	{"unwatch and watch again", func(s *scene) {
		for _, h := range []*hand{s.a, s.b} {
			s.unwatch(h)
			s.watch(h, h.FD())
		}
	}},
	{"watch another descriptor instead", func(s *scene) {
		s.unwatch(s.b)
		s.watch(s.b, s.spare)
	}},
	{"close one, whose number comes back", func(s *scene) {
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
			// What the other end of the old connection wrote would make this one readable.
			if n&loop.Readable != 0 {
				s.Errorf("the heir of fd %d got %s, which was meant for the old one", fd, readyString(n))
			}
			return false
		}
		s.watch(heir, now)
	}},
	{"kick both", func(s *scene) {
		s.l.Kick(&s.a.Source)
		s.l.Kick(&s.b.Source)
	}},
	{"kick and unwatch", func(s *scene) {
		s.l.Kick(&s.b.Source)
		s.unwatch(s.b)
	}},
	{"disarm both", func(s *scene) {
		for _, a := range []*alarm{s.soon, s.late} {
			s.l.Disarm(&a.Timer)
			a.off = true
		}
	}},
	{"rearm both", func(s *scene) {
		s.l.Arm(&s.soon.Timer, s.l.Now(), s.soon)
		s.l.Arm(&s.late.Timer, s.l.Now(), s.late)
	}},
	{"undefer both", func(s *scene) {
		for _, c := range []*chore{s.chore, s.other} {
			s.l.Undefer(&c.Task)
			c.off = true
		}
	}},
	{"defer both", func(s *scene) {
		s.l.Defer(&s.chore.Task, s.chore)
		s.l.Defer(&s.other.Task, s.other)
	}},
	{"post", func(s *scene) {
		if err := s.l.Post(func() { s.unwatch(s.a) }); err != nil {
			s.Errorf("Post: %v", err)
		}
	}},
	{"drive the loop", func(s *scene) {
		if err := s.l.Service(); err == nil {
			s.Error("Service inside a callback: got success")
		}
		if err := s.l.Close(); err != loop.ErrNested {
			s.Errorf("Close inside a callback: got %v, want ErrNested", err)
		}
	}},
}

// places are the callbacks of a turn. Each has the deed done once.
var places = []struct {
	name string
	set  func(s *scene, do func())
}{
	{"a posted function", func(s *scene, do func()) { s.l.Post(do) }},
	{"a timer", func(s *scene, do func()) { s.soon.does = do }},
	{"a ready source", func(s *scene, do func()) { s.a.does = func(loop.Ready) bool { do(); return true } }},
	{"a task", func(s *scene, do func()) { s.chore.does = do }},
	{"the after-turn hook", func(s *scene, do func()) { s.l.Config().AfterTurn = do }},
	{"the end of offloaded work", func(s *scene, do func()) {
		s.l.Offload(func() error { return nil }, func(error) { do() })
	}},
}

var reentryStories = buildReentry()

func buildReentry() (all []story) {
	for _, p := range places {
		for _, d := range deeds {
			all = append(all, story{name: d.name + " in " + p.name, tell: func(r *rig) {
				s := &scene{rig: r}
				r.house(loop.Config{})
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
					if _, e := r.sys.Write(fd, []byte("news")); e != 0 {
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
				r.until("the deed was done", func() bool { return did > 0 })
				r.l.Config().AfterTurn = hook
				s.a.does, s.soon.does, s.chore.does = nil, nil, nil
				r.turns(4)
				s.epilogue()
			}})
		}
	}
	return all
}

// epilogue sees whether the loop is still a loop.
func (s *scene) epilogue() {
	s.Helper()
	h, _ := s.hand("epilogue")
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
