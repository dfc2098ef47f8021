package h1

import "testing"

func TestCountersOfRefusals(t *testing.T) {
	sh := NewShared(DefaultConfig())
	for range 3 {
		_, l := serve(sh, &recorder{})
		l.Feed([]byte("GET / HTTP/3.0\r\n"))
	}
	if sh.Refused(505) != 3 || sh.Refused(400) != 0 || sh.Refused(200) != 0 || sh.Refused(5000) != 0 || sh.Counters.Malformed != 3 {
		t.Errorf("refusals with 505: got %d, with 400: %d, malformed: %d; want 3, 0, 3", sh.Refused(505), sh.Refused(400), sh.Counters.Malformed)
	}
}

func TestPoolIsBounded(t *testing.T) {
	sh := NewShared(DefaultConfig())
	var taken []*exchange
	for range maxFree + 10 {
		taken = append(taken, sh.newExchange())
	}
	for _, x := range taken {
		sh.freeExchange(x)
	}
	if len(sh.free) != maxFree {
		t.Errorf("exchanges in the pool: got %d, want %d", len(sh.free), maxFree)
	}
}

func TestSharedCopiesItsConfig(t *testing.T) {
	c := DefaultConfig()
	sh := NewShared(c)
	c.Limits.StartLine = 1
	if got, want := sh.Config().Limits.StartLine, DefaultLimits().StartLine; got != want {
		t.Errorf("Limits.StartLine of the Shared after a change of the caller's Config: got %d, want %d", got, want)
	}
}
