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

// TestResponseWait: the default depends on what the stream type is for; the key overrides it, also with 0.
func TestResponseWait(t *testing.T) {
	for _, c := range []struct {
		keys string
		want time.Duration
	}{
		{`"protocol":"h1"`, 60 * time.Second},
		{`"protocol":"h2"`, 60 * time.Second},
		{`"protocol":"ws"`, 10 * time.Second},
		{`"protocol":"h1","long_poll":true`, 0},
		{`"protocol":"h1","http_response_timeout_ms":1500`, 1500 * time.Millisecond},
		{`"protocol":"h1","http_response_timeout_ms":0`, 0},
		{`"protocol":"ws","http_response_timeout_ms":0`, 0},
		{`"protocol":"h2","long_poll":true,"http_response_timeout_ms":90000`, 90 * time.Second},
	} {
		p, err := Parse([]byte(`{"s":[{"c":{"endpoint":"h","port":1,` + c.keys + `}}]}`))
		if err != nil {
			t.Fatalf("%s: %v", c.keys, err)
		}
		if got := p.Stream("c").ResponseWait(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.keys, got, c.want)
		}
	}
}

// TestHasValidity: a scheme that names one of the two keys says all there is to say; one that names neither leaves it to
// the protocol's defaults.
func TestHasValidity(t *testing.T) {
	for keys, want := range map[string]bool{`"conceal":1`: false, `"svalidping":0`: true, `"svalidhup":50`: true, `"svalidping":0,"svalidhup":0`: true} {
		p, err := Parse([]byte(`{"retry":[{"r":{` + keys + `}}],"s":[{"c":{"endpoint":"h","port":1,"retry":"r"}}]}`))
		if err != nil {
			t.Fatalf("%s: %v", keys, err)
		}
		if got := p.Stream("c").Retry.HasValidity; got != want {
			t.Errorf("%s: got %v, want %v", keys, got, want)
		}
	}
}
