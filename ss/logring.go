package ss

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// LogRing is a slog.Handler that may be used on the loop's goroutine: it keeps records in a bounded ring
// and never waits for whatever finally takes them, which can be a full pipe. A goroutine of the
// program's own runs Drain. When the ring is full, new records are dropped and counted.
//
// Values are rendered when they are logged if they could change later (byte slices, errors, objects):
// a connection's buffer is another connection's by the time a record is read.
type LogRing struct {
	*ring
	scope *logScope
}

// ring is what a LogRing and those derived from it by WithAttrs and WithGroup share.
type ring struct {
	level slog.Leveler
	wake  chan struct{} // holds one token while there may be records

	mu      sync.Mutex // held for moments only, by either side
	entries []logEntry
	head, n int
	dropped uint64 // since the last record that found room
	total   uint64 // dropped ever
}

type logEntry struct {
	record slog.Record
	scope  *logScope
	missed uint64 // records dropped right in front of this one
}

// logScope is one WithAttrs or WithGroup, linked to those before it.
type logScope struct {
	outer *logScope
	group string
	attrs []slog.Attr
}

// logRingSize is the default capacity: the states of a hundred streams coming and going, in about
// 128 KiB.
const logRingSize = 512

// NewLogRing makes a ring of size records, 512 when size is not positive, for levels from level on; nil
// is slog.LevelInfo.
func NewLogRing(size int, level slog.Leveler) *LogRing {
	if size <= 0 {
		size = logRingSize
	}
	if level == nil {
		level = slog.LevelInfo
	}
	return &LogRing{ring: &ring{level: level, wake: make(chan struct{}, 1), entries: make([]logEntry, size)}}
}

// Enabled implements slog.Handler.
func (r *LogRing) Enabled(_ context.Context, l slog.Level) bool { return l >= r.level.Level() }

// Handle implements slog.Handler. It may be called from any goroutine, never waits for Drain, and never
// fails: a record for which there is no room is counted.
func (r *LogRing) Handle(_ context.Context, rec slog.Record) error {
	fixed := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		fixed.AddAttrs(fixAttr(a))
		return true
	})
	r.mu.Lock()
	if r.n == len(r.entries) {
		r.dropped++
		r.total++
	} else {
		r.entries[(r.head+r.n)%len(r.entries)] = logEntry{fixed, r.scope, r.dropped}
		r.n++
		r.dropped = 0
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

// WithAttrs implements slog.Handler. The result shares the ring.
func (r *LogRing) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return r
	}
	fixed := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		fixed[i] = fixAttr(a)
	}
	return &LogRing{r.ring, &logScope{outer: r.scope, attrs: fixed}}
}

// WithGroup implements slog.Handler. The result shares the ring.
func (r *LogRing) WithGroup(name string) slog.Handler {
	if name == "" {
		return r
	}
	return &LogRing{r.ring, &logScope{outer: r.scope, group: name}}
}

// Dropped is how many records found no room so far. It may be called from any goroutine.
func (r *LogRing) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Drain gives the records to next, in order, until ctx is done; then it gives what is left and returns.
// It blocks, and so belongs on a goroutine other than the loop's; one at a time. Where records
// were dropped a warning says how many. Failures of next are ignored: there is nobody
// left to tell.
func (r *LogRing) Drain(ctx context.Context, next slog.Handler) {
	for {
		for r.passOne(ctx, next) {
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			for r.passOne(ctx, next) {
			}
			return
		}
	}
}

// passOne gives the oldest record to next. False: there is none.
func (r *LogRing) passOne(ctx context.Context, next slog.Handler) bool {
	r.mu.Lock()
	e, some := logEntry{}, r.n > 0
	if some {
		e = r.entries[r.head]
		r.entries[r.head] = logEntry{}
		r.head = (r.head + 1) % len(r.entries)
		r.n--
	} else {
		e.missed, r.dropped = r.dropped, 0
	}
	r.mu.Unlock()
	if e.missed > 0 {
		gap := slog.NewRecord(time.Time{}, slog.LevelWarn, "log records were dropped: the log is read too slowly", 0)
		gap.AddAttrs(slog.Uint64("dropped", e.missed))
		_ = next.Handle(ctx, gap)
	}
	if some {
		if h := e.scope.apply(next); h.Enabled(ctx, e.record.Level) {
			_ = h.Handle(ctx, e.record)
		}
	}
	return some
}

// apply puts a scope, and those around it, onto a handler. It is done per record, away from the loop:
// remembering the result would keep the scopes of streams that are long gone.
func (s *logScope) apply(h slog.Handler) slog.Handler {
	if s == nil {
		return h
	}
	h = s.outer.apply(h)
	if s.group != "" {
		return h.WithGroup(s.group)
	}
	return h.WithAttrs(s.attrs)
}

// fixAttr returns a with nothing in it that can change.
func fixAttr(a slog.Attr) slog.Attr {
	a.Value = fixValue(a.Value)
	return a
}

func fixValue(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		in := v.Group()
		out := make([]slog.Attr, len(in))
		for i, a := range in {
			out[i] = fixAttr(a)
		}
		return slog.GroupValue(out...)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case nil:
			return v
		case []byte:
			return slog.StringValue(string(x))
		case *slog.Source:
			return v
		default:
			return slog.StringValue(fmt.Sprint(x))
		}
	}
	return v
}
