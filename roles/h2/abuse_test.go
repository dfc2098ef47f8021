package h2

import (
	"runtime"
	"strings"
	"testing"

	"github.com/millrace/millrace/roles"
)

// heap returns the size of the live heap.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// abuse is a way to exhaust a server: what it sends in round i.
type abuse struct {
	name  string
	round func(i int) string
	want  string // how the connection ends
	most  int    // within so many rounds
	set   func(v *served)
}

// id returns the id of the i-th stream.
func id(i int) uint32 { return uint32(2*i + 1) }

// TestAbuse: each kind of flood ends the connection with its code, within the limit, is counted, and leaves no byte
// charged.
func TestAbuse(t *testing.T) {
	d := DefaultLimits()
	frames, resets := d.Frames+d.FrameRate, d.Resets+d.ResetRate
	deaf := func(v *served) { v.l.Refuse = true }
	for _, c := range []abuse{
		{"rapid reset (CVE-2023-44487)", func(i int) string { return getReq(id(i)) + rst(id(i), Cancel) }, "ENHANCE_YOUR_CALM", resets, nil},
		{"streams made reset by increments of 0 (CVE-2025-8671)", func(i int) string { return postReq(id(i)) + win(id(i), 0) }, "ENHANCE_YOUR_CALM", resets, nil},
		{"streams made reset by large windows", func(i int) string { return postReq(id(i)) + win(id(i), maxWindow) }, "ENHANCE_YOUR_CALM", resets, nil},
		{"streams made reset by DATA after their end", func(i int) string { return hdrs(id(i), endS, ps...) + data(id(i), 0, "x") }, "ENHANCE_YOUR_CALM", resets,
			func(v *served) { v.setup = func(_ int, r *recorder) { r.head.Status = 0 } }},
		{"streams made reset by PRIORITY of 4 octets", func(i int) string { return postReq(id(i)) + fr(framePriority, 0, id(i), "abcd") }, "ENHANCE_YOUR_CALM", resets, nil},
		{"malformed requests", func(i int) string { return hdrs(id(i), endS, with(ask, "Bad", "x")...) }, "ENHANCE_YOUR_CALM", resets, nil},
		{"more streams than are accepted", func(i int) string { return postReq(id(i)) }, "ENHANCE_YOUR_CALM", resets + int(d.Streams), nil},
		{"RST_STREAM of streams that are closed", func(i int) string {
			if i == 0 {
				return getReq(1)
			}
			return rst(1, Cancel)
		}, "ENHANCE_YOUR_CALM", resets + 1, nil},
		{"PING", func(int) string { return fr(framePing, 0, 0, "12345678") }, "ENHANCE_YOUR_CALM", frames, nil},
		{"PING acknowledgements", func(int) string { return fr(framePing, flagAck, 0, "12345678") }, "ENHANCE_YOUR_CALM", frames, nil},
		{"SETTINGS", func(i int) string { return setting(settingWindow, uint32(i%2)) }, "ENHANCE_YOUR_CALM", frames, nil},
		{"SETTINGS acknowledgements", func(int) string { return setack }, "ENHANCE_YOUR_CALM", frames, nil},
		{"empty DATA", func(i int) string {
			if i == 0 {
				return postReq(1)
			}
			return data(1, 0, "")
		}, "ENHANCE_YOUR_CALM", frames + 8, nil},
		{"DATA of padding", func(i int) string {
			if i == 0 {
				return postReq(1)
			}
			return data(1, flagPadded, "\x02\x00\x00")
		}, "ENHANCE_YOUR_CALM", frames + 8, nil},
		{"WINDOW_UPDATE by 1", func(int) string { return win(0, 1) }, "ENHANCE_YOUR_CALM", frames, nil},
		{"WINDOW_UPDATE of a stream that is closed", func(i int) string {
			if i == 0 {
				return getReq(1)
			}
			return win(1, 1)
		}, "ENHANCE_YOUR_CALM", frames + 8, nil},
		{"a body that dribbles out (CVE-2019-9511)", func(i int) string {
			if i == 0 {
				return setting(settingWindow, 0) + getReq(1)
			}
			return win(1, 1)
		}, "ENHANCE_YOUR_CALM", frames + 8, func(v *served) {
			v.setup = func(_ int, r *recorder) { r.body = strings.Repeat("x", 1<<20) }
		}},
		{"PRIORITY", func(i int) string { return fr(framePriority, 0, id(i), u32(0)+"\x10") }, "ENHANCE_YOUR_CALM", frames, nil},
		{"PRIORITY_UPDATE", func(i int) string { return fr(framePriorityUpdate, 0, 0, u32(id(i))+"u=1") }, "ENHANCE_YOUR_CALM", frames, nil},
		{"unknown frames", func(int) string { return fr(0x55, 0, 0, "") }, "ENHANCE_YOUR_CALM", frames, nil},
		{"GOAWAY", func(int) string { return goaway(0, NoError) }, "ENHANCE_YOUR_CALM", frames, nil},
		{"CONTINUATION without end (CVE-2024-27316)", func(i int) string {
			if i == 0 {
				return fr(frameHeaders, 0, 1, blk(ask...))
			}
			return fr(frameContinuation, 0, 1, blk("x", "y"))
		}, "ENHANCE_YOUR_CALM", d.Continuations + 2, nil},
		{"CONTINUATION of nothing", func(i int) string {
			if i == 0 {
				return fr(frameHeaders, 0, 1, "")
			}
			return fr(frameContinuation, 0, 1, "")
		}, "ENHANCE_YOUR_CALM", d.Continuations + 2, nil},
		{"blocks that are too long", func(i int) string {
			if i == 0 {
				return fr(frameHeaders, 0, 1, strings.Repeat("\x82", 16000))
			}
			return fr(frameContinuation, 0, 1, strings.Repeat("\x82", 16000))
		}, "ENHANCE_YOUR_CALM", 4, nil},
		{"answers that pile up: PING", func(int) string { return fr(framePing, 0, 0, "12345678") }, "", d.Owed/17 + 2, deaf},
		{"answers that pile up: SETTINGS", func(int) string { return setting() }, "", d.Owed/9 + 2, deaf},
		{"answers that pile up: requests", func(i int) string { return getReq(id(i)) }, "", resets + int(d.Streams), deaf},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := ready(t, DefaultConfig())
			if c.set != nil {
				c.set(v)
			}
			i, held := 0, 0
			for ; !v.l.Over; i++ {
				if i > c.most {
					t.Fatalf("the connection is open after %d rounds, want its end; counted %+v", i, v.sh.Counters)
				}
				v.l.Feed([]byte(c.round(i)))
				held = max(held, v.kept)
				v.log.Reset()
			}
			out := verdict(v.out(t))
			if c.want != "" && !strings.Contains(out[strings.LastIndex(out, "goaway"):], c.want) {
				t.Errorf("the connection ended with %q, want %s", out, c.want)
			}
			n := v.sh.Counters
			if n.Failed != 1 || n.Flooded == 0 {
				t.Errorf("counted %+v", n)
			}
			if most := 2 * (d.Owed + d.Block); held > most {
				t.Errorf("%d bytes were charged, want at most %d", held, most)
			}
			for _, r := range v.made {
				if !r.done {
					t.Fatal("a handler did not get Done")
				}
			}
			if v.kept != 0 || v.l.Misuse != "" {
				t.Errorf("%d bytes are still charged; misuse %q", v.kept, v.l.Misuse)
			}
		})
	}
}

// TestRatesThatAreForgiven: a peer may do each of these at a rate that is forgiven.
func TestRatesThatAreForgiven(t *testing.T) {
	body := strings.Repeat("x", 1<<25)
	for _, c := range []struct {
		name  string
		per   int // a second
		round func(i int) string
	}{
		{"resets", 20, func(i int) string { return getReq(id(i)) + rst(id(i), Cancel) }},
		{"pings", 200, func(int) string { return fr(framePing, 0, 0, "12345678") }},
		{"window updates of a download", 2000, func(i int) string { return win(0, 1000) + win(1, 1000) }},
	} {
		v := ready(t, DefaultConfig())
		v.setup = func(_ int, r *recorder) { r.body = body }
		if c.per == 2000 {
			v.feed(t, getReq(1))
		}
		for i := range 10 * c.per {
			v.l.Feed([]byte(c.round(i)))
			v.l.Out = v.l.Out[:0]
			if v.l.Over {
				t.Fatalf("%s: the connection ended in round %d: %v", c.name, i, v.l.Cause)
			}
			if i%c.per == c.per-1 {
				v.l.Sleep(second)
			}
		}
		v.over(t)
	}
}

// TestHeaderLists: header lists that are too large get 431, whatever their encoding, and a bomb costs no memory.
func TestHeaderLists(t *testing.T) {
	big := strings.Repeat("v", 3900)
	// The first field enters the table; each further octet repeats all of it.
	bomb := blk(ask...) + "\x40\x01x\x7f" + string(hpackLen(len(big))[1:]) + big + strings.Repeat("\xbe", 12000)
	for name, block := range map[string]string{
		"one long value":  blk(with(ask, "x", strings.Repeat("v", 15900))...),
		"a value over it": blk(with(ask, "x", strings.Repeat("v", 16300))...),
		"many fields":     blk(ask...) + strings.Repeat(blk("x", "y"), 101),
		"a bomb":          bomb,
	} {
		v := ready(t, DefaultConfig())
		in := fr(frameHeaders, endH|endS, 1, block)
		if len(block) > 16384 {
			in = fr(frameHeaders, endS, 1, block[:16384]) + fr(frameContinuation, endH, 1, block[16384:])
		}
		want := "headers 1 end :status=431"
		if name == "one long value" {
			want = "headers 1 :status=200"
		}
		if got := v.feed(t, in); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
		if (len(v.made) == 0) != strings.Contains(want, "431") {
			t.Errorf("%s: got %d handlers, want none", name, len(v.made))
		}
		if got := v.feed(t, getReq(3)); !strings.HasPrefix(got, "headers 3 :status=200") {
			t.Errorf("%s: response to the next request: got %q", name, got)
		}
		v.over(t)
	}
}

// TestHeapDoesNotGrow: one connection is attacked repeatedly in every way that it survives, and the live heap does not grow.
func TestHeapDoesNotGrow(t *testing.T) {
	v := ready(t, DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.log = nil }
	i := 0
	round := func(n int) {
		for range n {
			a := id(i)
			v.l.Feed([]byte(getReq(a) + rst(a, Cancel)))
			v.l.Feed([]byte(hdrs(a+2, endS, with(ask, "x", strings.Repeat("v", 16200))...)))
			v.l.Feed([]byte(postReq(a+4) + data(a+4, 0, "abc") + data(a+4, flagPadded, "\x01\x00") + win(a+4, 0)))
			v.l.Feed([]byte(fr(framePing, 0, 0, "12345678") + setting(settingWindow, 10) + setting(settingWindow, 70000)))
			v.l.Feed([]byte(hdrs(a+6, 0, with(ask, "expect", "100-continue")...) + data(a+6, endS, "")))
			v.l.Sleep(second)
			v.l.Out = v.l.Out[:0]
			v.made = v.made[:0]
			i += 4
			if v.l.Over {
				t.Fatal(v.l.Cause)
			}
		}
	}
	round(200)
	before := heap()
	round(3000)
	if after := heap(); after > before+32<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if len(v.sh.free) > 4 {
		t.Errorf("%d streams are in the pool, want at most 4 for a peer with one stream at a time", len(v.sh.free))
	}
	v.over(t)
}

// TestZeroWindows: a peer requests bodies and opens no window for them: each exchange ends after its timeout, and its
// memory is free.
func TestZeroWindows(t *testing.T) {
	v := serve(DefaultConfig())
	v.setup = func(_ int, r *recorder) { r.body = "hello" }
	v.feed(t, preface+setting(settingWindow, 0)+setack)
	for i := range 100 {
		v.feed(t, getReq(id(i)))
	}
	if v.s.Active() != 100 {
		t.Fatalf("%d streams are open", v.s.Active())
	}
	if n := v.kept - v.l.Held[roles.HoldStream]; n != 0 || v.kept != (100-unchargedStreams)*streamCost {
		t.Errorf("%d bytes are charged for streams that wait, and %d for the streams themselves", n, v.kept)
	}
	v.l.Sleep(DefaultTimeouts().Window)
	if out := verdict(v.out(t)); v.s.Active() != 0 || strings.Count(out, "CANCEL") != 100 {
		t.Errorf("after the deadline %d streams are open: %s", v.s.Active(), out)
	}
	if n := v.sh.Counters; n.Timeouts != 100 {
		t.Errorf("counted %+v", n)
	}
	v.over(t)
}
