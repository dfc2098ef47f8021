package logring

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Ring is a slog.Handler that never blocks: Handle copies the record into a bounded ring, Drain passes the
// records on. A Ring that WithAttrs or WithGroup returns shares the records of the Ring it was made from.
type Ring struct {
	*records
	scope *scope
}

// records is the part that a Ring shares with the Rings derived from it.
type records struct {
	level slog.Leveler
	wake  chan struct{} // holds one token while there may be records

	mu      sync.Mutex // never held across a call of a handler
	entries []entry
	head, n int
	dropped uint64 // since the last record that was stored
	total   uint64 // dropped since New
}

type entry struct {
	record slog.Record
	scope  *scope
	missed uint64 // records dropped directly before this one
}

// scope is one call of WithAttrs or WithGroup, linked to the calls before it.
type scope struct {
	outer *scope
	group string
	attrs []slog.Attr
}

// DefaultSize is the capacity of a Ring for which no size is given: the states of about a hundred streams
// that start and end at the same time, in about 128 KiB.
const DefaultSize = 512

// New makes a Ring of size records (DefaultSize if size is not positive) that takes records of level and
// above. A nil level means slog.LevelInfo.
func New(size int, level slog.Leveler) *Ring {
	if size <= 0 {
		size = DefaultSize
	}
	if level == nil {
		level = slog.LevelInfo
	}
	return &Ring{records: &records{level: level, wake: make(chan struct{}, 1), entries: make([]entry, size)}}
}

// Enabled implements slog.Handler.
func (r *Ring) Enabled(_ context.Context, l slog.Level) bool { return l >= r.level.Level() }

// Handle implements slog.Handler. It may be called from any goroutine, does not wait for Drain, and returns
// nil: a record that does not fit is counted.
func (r *Ring) Handle(_ context.Context, rec slog.Record) error {
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
		r.entries[(r.head+r.n)%len(r.entries)] = entry{fixed, r.scope, r.dropped}
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
func (r *Ring) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return r
	}
	fixed := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		fixed[i] = fixAttr(a)
	}
	return &Ring{r.records, &scope{outer: r.scope, attrs: fixed}}
}

// WithGroup implements slog.Handler. The result shares the ring.
func (r *Ring) WithGroup(name string) slog.Handler {
	if name == "" {
		return r
	}
	return &Ring{r.records, &scope{outer: r.scope, group: name}}
}

// Dropped returns the number of records that were dropped since New. It may be called from any goroutine.
func (r *Ring) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Drain passes the records to next, in order, until ctx is done; then it passes the remaining ones and
// returns. It blocks: call it on a goroutine other than the loop's, one call at a time. Where records were
// dropped, next receives a warning with their number. Drain ignores the errors of next, since it has no other
// place to report them.
func (r *Ring) Drain(ctx context.Context, next slog.Handler) {
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

// passOne passes the oldest record to next. It returns false if there is none.
func (r *Ring) passOne(ctx context.Context, next slog.Handler) bool {
	r.mu.Lock()
	e, some := entry{}, r.n > 0
	if some {
		e = r.entries[r.head]
		r.entries[r.head] = entry{}
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

// apply applies s and its outer scopes to a handler. Drain does it anew for each record, away from the
// loop: a cache would keep the scopes of streams that ended long ago.
func (s *scope) apply(h slog.Handler) slog.Handler {
	if s == nil {
		return h
	}
	h = s.outer.apply(h)
	if s.group != "" {
		return h.WithGroup(s.group)
	}
	return h.WithAttrs(s.attrs)
}

// fixAttr returns a copy of a that later changes to the value do not affect.
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
