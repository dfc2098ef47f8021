package policy

import (
	"testing"
	"time"
)

func TestRetryDelay(t *testing.T) {
	ms := func(list ...int) (d []time.Duration) {
		for _, n := range list {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	table := &Retry{Backoff: ms(1000, 2000, 3000, 5000, 10000), JitterPC: 20}
	for _, tt := range []struct {
		name string
		r    *Retry
		try  int
		rnd  uint16
		want time.Duration
	}{
		{"first, no luck", table, 0, 0, 1000 * time.Millisecond},
		{"first, half", table, 0, 0x8000, 1100 * time.Millisecond},
		{"first, most", table, 0, 0xFFFF, 1199 * time.Millisecond}, // whole milliseconds, rounded down
		{"second", table, 1, 0, 2000 * time.Millisecond},
		{"last", table, 4, 0xFFFF, 11999 * time.Millisecond},
		{"beyond the table", table, 5, 0, 10000 * time.Millisecond},
		{"far beyond", table, 1 << 30, 0, 10000 * time.Millisecond},
		{"negative", table, -1, 0, 1000 * time.Millisecond},
		{"no jitter", &Retry{Backoff: ms(1000)}, 0, 0xFFFF, 1000 * time.Millisecond},
		{"default, most", DefaultRetry, 7, 0xFFFF, 3899 * time.Millisecond},
		{"zero value", &Retry{}, 0, 0, 3000 * time.Millisecond},
		{"longest", &Retry{Backoff: []time.Duration{maxBackoff}, JitterPC: 255}, 0, 0xFFFF, maxBackoff + 1542216467*time.Millisecond},
		{"made by hand, absurd", &Retry{Backoff: []time.Duration{1 << 62}}, 0, 0xFFFF, maxBackoff},
		{"below a millisecond", &Retry{Backoff: []time.Duration{5}, JitterPC: 100}, 0, 0xFFFF, 5},
	} {
		if got := tt.r.Delay(tt.try, tt.rnd); got != tt.want {
			t.Errorf("%s: Delay(%d, %#x) of %v %d%%: got %v, want %v", tt.name, tt.try, tt.rnd, tt.r.Backoff, tt.r.JitterPC, got, tt.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { table.Delay(3, 1234) }); n != 0 {
		t.Errorf("Delay allocates %v times, want 0", n)
	}
}

func TestRetryConcealed(t *testing.T) {
	for _, tt := range []struct {
		conceal, tries int
		want           bool
	}{
		{0, 1, false}, {2, 1, true}, {2, 2, true}, {2, 3, false},
		{Forever, 65535, true}, {Forever, 1 << 30, true}, {65534, 65535, false}, {65534, 65534, true},
	} {
		if got := (&Retry{Conceal: tt.conceal}).Concealed(tt.tries); got != tt.want {
			t.Errorf("conceal %d, failure %d: concealed %v, want %v", tt.conceal, tt.tries, got, tt.want)
		}
	}
}
