package looptest

import (
	"context"
	"sync"

	"github.com/millrace/millrace/loop"
)

var driverScenarios = []scenario{
	{name: "Run and Service do not mix", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		r.turns(1)
		if err := l.Service(); err != loop.ErrDriver {
			r.Errorf("Service after Run: got %v, want ErrDriver", err)
		}
		r.turns(1)
	}},
	{name: "Service and Run do not mix", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		if err := l.Service(); err != nil {
			r.Fatalf("Service: %v", err)
		}
		if err := l.Run(context.Background()); err != loop.ErrDriver {
			r.Errorf("Run after Service: got %v, want ErrDriver", err)
		}
		var inner error
		l.Post(func() { inner = l.Service() })
		if err := l.Service(); err != nil || inner != loop.ErrNested {
			r.Errorf("Service inside Service: got %v, want ErrNested; the outer one: %v", inner, err)
		}
	}},
	{name: "Run inside Run", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		var inner, service error
		l.Post(func() {
			inner = l.Run(context.Background())
			service = l.Service()
		})
		r.turns(1)
		if inner != loop.ErrNested || service != loop.ErrDriver {
			r.Errorf("inside a callback: got Run %v, Service %v, want ErrNested, ErrDriver", inner, service)
		}
	}},
	{name: "Stop before Run", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		l.Stop()
		if err := l.Run(context.Background()); err != nil {
			r.Fatalf("Run after Stop: %v", err)
		}
		ran := false
		l.Post(func() { ran = true })
		r.until("the second Run runs the posted function", func() bool { return ran })
	}},
	{name: "a context that is done already", run: func(r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.newLoop(loop.Config{}).Run(ctx); err != nil {
			r.Fatalf("Run: %v", err)
		}
	}},
	{name: "a spinning loop", run: func(r *rig) {
		l := r.newLoop(loop.Config{Spin: moment / 10})
		h, peer := r.hand("hand")
		r.sys.Write(peer, []byte("x"))
		r.until("readable", func() bool { return h.last&loop.Readable != 0 })
		a := &alarm{r: r, name: "alarm"}
		l.Arm(&a.Timer, r.sys.Now()+moment/20, a)
		r.until("the first alarm, during the spin", func() bool { return a.rang == 1 })
		l.Arm(&a.Timer, r.sys.Now()+moment/5, a)
		r.until("the second alarm, after the spin", func() bool { return a.rang == 2 })
	}},
	{name: "after Close", run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		l.Post(func() { r.Error("a function posted before Close was called") })
		if err := l.Close(); err != nil {
			r.Fatalf("Close: %v", err)
		}
		for i, err := range []error{
			l.Close(), l.Run(context.Background()), l.Service(), l.Post(func() {}), l.Offload(nil, nil),
		} {
			if err != loop.ErrClosed {
				name := []string{"Close", "Run", "Service", "Post", "Offload"}[i]
				r.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		}
		l.Stop() // harmless
	}},
	{name: "Post from many goroutines", threads: true, run: func(r *rig) { r.many(loop.Config{}) }},
	{name: "Post from many goroutines to a spinning loop", threads: true, run: func(r *rig) {
		r.many(loop.Config{Spin: moment / 100})
	}},
	{name: "a context ends Run", threads: true, run: func(r *rig) {
		l := r.newLoop(loop.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		l.Post(func() { go cancel() })
		if err := l.Run(ctx); err != nil {
			r.Fatalf("Run: %v", err)
		}
	}},
	{name: "Stop from another goroutine", threads: true, run: func(r *rig) {
		l := r.newLoop(loop.Config{Spin: moment})
		for range 50 {
			l.Post(func() { go l.Stop() })
			if err := l.Run(context.Background()); err != nil {
				r.Fatalf("Run: %v", err)
			}
		}
	}},
}

// many posts from several goroutines and checks that every function is called, in order per goroutine.
func (r *rig) many(c loop.Config) {
	const posters, each = 8, 500
	l := r.newLoop(c)
	var wg sync.WaitGroup
	var last [posters]int
	got := 0
	for p := range posters {
		wg.Go(func() {
			for i := 1; i <= each; i++ {
				err := l.Post(func() {
					if last[p] != i-1 {
						r.Errorf("poster %d: function %d was called after %d", p, i, last[p])
					}
					last[p] = i
					got++
				})
				if err != nil {
					r.Errorf("Post: %v", err)
				}
			}
		})
	}
	r.until("all were called", func() bool { return got == posters*each })
	wg.Wait()
}
