package interop

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/loop"
	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/ss"
)

// scene is a runtime in this process, for tests that check the states of a stream.
type scene struct {
	t    *testing.T
	loop *loop.Loop
	rt   *ss.Runtime
}

func newScene(t *testing.T, doc string) *scene {
	t.Helper()
	return newSceneWith(t, doc, func(*ss.Config) {})
}

// newSceneWith is newScene with a configuration that change has modified.
func newSceneWith(t *testing.T, doc string, change func(*ss.Config)) *scene {
	t.Helper()
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	sys, err := loop.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, loop: loop.New(sys, loop.Config{})}
	c := ss.Config{Loop: s.loop, Policy: p, PanicOnIllegal: true}
	change(&c)
	if s.rt, err = ss.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.loop.Close(); err != nil {
			t.Errorf("loop close: %v", err)
		}
	})
	return s
}

// call is a client stream that records its states.
type call struct {
	scene  *scene
	send   string // payload of each transaction; "" for none
	states []ss.State
	at     []time.Duration // when each state was reported
	causes []error         // of the states with a cause
	body   bytes.Buffer    // of the last transaction
	sent   int
	// over is called after each transaction, and after all retries have failed; nil destroys the stream.
	over func(h *ss.Handle) ss.Ret
	// made, unless nil, is called before the stream connects.
	made func(h *ss.Handle)
	perf []string // reports of connections
	// onState, unless nil, is called for every state.
	onState func(s ss.State)
	h       *ss.Handle
}

// State implements ss.Stream.
func (c *call) State(h *ss.Handle, s ss.State, n ss.Notice) ss.Ret {
	c.h = h
	c.states = append(c.states, s)
	c.at = append(c.at, c.scene.loop.System().Now())
	if n.Cause != nil {
		c.causes = append(c.causes, n.Cause)
	}
	if c.onState != nil {
		c.onState(s)
	}
	switch s {
	case ss.Connecting:
		c.sent = 0
		c.body.Reset()
		if c.send != "" {
			return h.RequestTxLen(int64(len(c.send)))
		}
	case ss.Disconnected, ss.AllRetriesFailed:
		if c.over != nil {
			return c.over(h)
		}
		return ss.DestroyMe
	case ss.Destroying:
		// Close the warm and lingering connections before the loop closes.
		c.scene.rt.Drain(c.scene.loop.Stop)
	}
	return ss.OK
}

// Rx implements ss.Stream.
func (c *call) Rx(_ *ss.Handle, b []byte, f ss.Flags) ss.Ret {
	if f&ss.PerfJSON != 0 {
		c.perf = append(c.perf, string(b))
		return ss.OK
	}
	c.body.Write(b)
	return ss.OK
}

// Tx implements ss.Stream.
func (c *call) Tx(h *ss.Handle, _ uint32, buf []byte) (n int, f ss.Flags, r ss.Ret) {
	if c.sent == 0 {
		f = ss.SOM
	}
	n = copy(buf, c.send[c.sent:])
	if c.sent += n; c.sent == len(c.send) {
		return n, f | ss.EOM, ss.OK
	}
	h.RequestTx()
	return n, f, ss.OK
}

// play creates c's stream, connects it, and turns the loop until the stream is destroyed.
func (s *scene) play(c *call, streamType string, metadata ...string) {
	s.t.Helper()
	s.playStream(c, c, streamType, ss.Info{}, metadata...)
}

// playStream is play for a stream around c.
func (s *scene) playStream(st ss.Stream, c *call, streamType string, i ss.Info, metadata ...string) {
	s.t.Helper()
	c.scene = s
	i.StreamType, i.New = streamType, func(*ss.Handle) ss.Stream { return st }
	h, err := s.rt.Create(i)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(metadata); i += 2 {
		if err := h.SetMetadataString(metadata[i], metadata[i+1]); err != nil {
			s.t.Fatal(err)
		}
	}
	if c.made != nil {
		c.made(h)
	}
	h.Connect()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.loop.Run(ctx); err != nil {
		s.t.Fatal(err)
	}
	if c.states[len(c.states)-1] != ss.Destroying {
		var dump strings.Builder
		s.rt.Dump(&dump)
		s.t.Fatalf("the stream did not end within %v; states so far: %s; causes: %v\n%s", patience, names(c.states), c.causes, &dump)
	}
}

// names prints states without their common prefix.
func names(states []ss.State) string {
	var b strings.Builder
	for i, s := range states {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimPrefix(s.String(), "LWSSSCS_"))
	}
	return b.String()
}

// passed fails the test unless c went through exactly these states.
func (c *call) passed(t *testing.T, want string) {
	t.Helper()
	if got := names(c.states); got != want {
		t.Errorf("states\n got %s\nwant %s\ncauses: %v", got, want, c.causes)
	}
}
